//! The routes.

use super::upload::Form;
use super::{Answer, R2, Script, Version, World};
use axum::http::Method;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

const NO_SCRIPT: Answer = Answer::Bad(404, 10007, "This Worker does not exist on your account.");

pub(super) fn answer(world: &mut World, method: &Method, path: &str, body: &[u8], form: Option<Form>) -> Answer {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    if segments == ["accounts"] && method == Method::GET {
        let account = |(id, name): &(String, String)| json!({ "id": id, "name": name });
        return Answer::Good(world.accounts.iter().map(account).collect());
    }
    let ["accounts", account, rest @ ..] = segments.as_slice() else {
        return Answer::Unknown;
    };
    if !world.accounts.iter().any(|(id, _)| id == account) {
        return Answer::Bad(403, 9109, "Unauthorized to access requested resource");
    }
    match rest {
        ["workers", "subdomain"] | ["workers", "subdomains", _] => subdomain(world, method, rest, &body),
        ["workers", "services", name] => service(world, method, name),
        ["workers", "workers", name] => in_short(world, name),
        ["workers", "scripts", name] if method == Method::PUT => put(world, name, form.unwrap_or_default()),
        ["workers", "scripts", name, what @ ..] => match world.scripts.contains_key(*name) {
            true => of_script(world, method, name, what, &body, form),
            false => NO_SCRIPT,
        },
        ["r2", "buckets", name @ ..] => buckets(world, method, name, &body),
        ["storage", "kv", "namespaces"]
        | ["workers", "durable_objects", "namespaces"]
        | ["containers", "applications"]
        | ["containers", "dash", "applications"] => Answer::Good(json!([])),
        _ => Answer::Unknown,
    }
}

fn subdomain(world: &mut World, method: &Method, rest: &[&str], body: &Value) -> Answer {
    match (rest, method) {
        ([_, _, name], _) => match world.taken.iter().any(|taken| taken == name) {
            true => Answer::Bad(409, 10031, "Subdomain is unavailable"),
            false => Answer::Bad(404, 10032, "Subdomain is available"),
        },
        (_, &Method::PUT) => {
            let name = body["subdomain"].as_str().unwrap_or_default().to_owned();
            if world.taken.contains(&name) {
                return Answer::Bad(409, 10031, "Subdomain is unavailable");
            }
            world.subdomain = Some(name.clone());
            Answer::Good(json!({ "subdomain": name }))
        }
        _ => match &world.subdomain {
            Some(name) => Answer::Good(json!({ "subdomain": name })),
            None => Answer::Bad(404, 10007, "You do not have a workers.dev subdomain."),
        },
    }
}

fn service(world: &mut World, method: &Method, name: &str) -> Answer {
    let Some(script) = world.scripts.get(name) else {
        return NO_SCRIPT;
    };
    if method == Method::DELETE {
        world.scripts.remove(name);
        return Answer::Good(json!(null));
    }
    Answer::Good(
        json!({ "id": name, "default_environment": { "environment": "production", "script": {
        "id": name, "tag": "tag", "tags": [], "migration_tag": script.migration_tag, "last_deployed_from": "wrangler",
    } } }),
    )
}

fn in_short(world: &World, name: &str) -> Answer {
    let Some(script) = world.scripts.get(name) else {
        return NO_SCRIPT;
    };
    Answer::Good(json!({ "id": name, "name": name, "subdomain": {
        "enabled": script.on_workers_dev, "previews_enabled": false,
    } }))
}

fn buckets(world: &mut World, method: &Method, name: &[&str], body: &Value) -> Answer {
    if world.r2 == R2::Off {
        return Answer::Bad(403, 10042, "Please enable R2 through the Cloudflare Dashboard.");
    }
    match (name, method) {
        ([], &Method::POST) => {
            let name = body["name"].as_str().unwrap_or_default().to_owned();
            if world.buckets.contains_key(&name) {
                return Answer::Bad(
                    409,
                    10004,
                    "The bucket you tried to create already exists, and you own it.",
                );
            }
            world.buckets.insert(name.clone(), 0);
            Answer::Good(json!({ "name": name }))
        }
        ([name], &Method::GET) if world.buckets.contains_key(*name) => Answer::Good(json!({ "name": name })),
        ([name], &Method::DELETE) if world.buckets.contains_key(*name) => {
            if world.buckets[*name] > 0 {
                return Answer::Bad(409, 10008, "The bucket you tried to delete is not empty.");
            }
            world.buckets.remove(*name);
            Answer::Good(json!({}))
        }
        ([_], _) => Answer::Bad(404, 10006, "The specified bucket does not exist."),
        _ => Answer::Unknown,
    }
}

/// Takes an upload as a version.
fn take(world: &mut World, name: &str, form: Form) -> Result<Version, Answer> {
    if world.upload_bytes_max.is_some_and(|most| form.bytes > most) {
        return Err(Answer::Bad(413, 10027, "Your Worker exceeded the size limit of 3 MiB."));
    }
    let mut digest = Sha256::new();
    form.modules.iter().for_each(|(name, bytes)| {
        digest.update(name.as_bytes());
        digest.update(bytes);
    });
    let etag = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let metadata = &form.metadata;
    let all = metadata["bindings"].as_array().cloned().unwrap_or_default();
    let (secret, other): (Vec<Value>, Vec<Value>) = all.into_iter().partition(|one| one["type"] == "secret_text");
    let script = world.scripts.entry(name.to_owned()).or_default();
    let keeps = metadata["keep_bindings"]
        .as_array()
        .is_some_and(|kinds| kinds.contains(&json!("secret_text")));
    let mut secrets = match script.versions.last() {
        Some(last) if keeps => last.secrets.clone(),
        _ => Default::default(),
    };
    for one in &secret {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        secrets.insert(text("name"), text("text"));
    }
    if let Some(tag) = metadata["migrations"]["new_tag"].as_str() {
        script.migration_tag = Some(tag.to_owned());
    }
    let version = Version {
        id: world.fresh(),
        etag,
        bindings: other,
        secrets,
        modules: form.modules,
    };
    let script = world.scripts.entry(name.to_owned()).or_default();
    script.versions.push(version.clone());
    Ok(version)
}

fn deploy(world: &mut World, name: &str, version: &str) -> String {
    let id = world.fresh();
    if let Some(script) = world.scripts.get_mut(name) {
        script.deployments.push((id.clone(), version.to_owned()));
    }
    id
}

fn put(world: &mut World, name: &str, form: Form) -> Answer {
    let existed = world.scripts.contains_key(name);
    match take(world, name, form) {
        Ok(version) => {
            deploy(world, name, &version.id);
            Answer::Good(json!({
                "id": name, "etag": version.etag, "startup_time_ms": 9, "deployment_id": version.id.replace('-', ""),
                "pipeline_hash": null, "mutable_pipeline_id": null,
            }))
        }
        Err(refusal) => {
            if !existed {
                world.scripts.remove(name);
            }
            refusal
        }
    }
}

fn of_script(
    world: &mut World,
    method: &Method,
    name: &str,
    what: &[&str],
    body: &Value,
    form: Option<Form>,
) -> Answer {
    match (what, method) {
        (["versions"], &Method::POST) => match take(world, name, form.unwrap_or_default()) {
            Ok(version) => Answer::Good(json!({
                "id": version.id, "startup_time_ms": 9, "resources": { "script": { "etag": version.etag } },
            })),
            Err(refusal) => refusal,
        },
        (["deployments"], &Method::POST) => {
            let version = body["versions"][0]["version_id"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let known = world.scripts[name].versions.iter().any(|one| one.id == version);
            match known {
                true => Answer::Good(json!({ "id": deploy(world, name, &version) })),
                false => Answer::Bad(404, 10212, "This Worker version does not exist."),
            }
        }
        (["secrets-bulk"], &Method::PATCH) => secrets(world, name, body),
        (["schedules"], &Method::PUT) => {
            let crons = body.as_array().into_iter().flatten();
            let crons = crons
                .filter_map(|one| one["cron"].as_str().map(str::to_owned))
                .collect();
            if let Some(script) = world.scripts.get_mut(name) {
                script.crons = crons;
            }
            Answer::Good(json!({}))
        }
        (["subdomain"], &Method::POST) => {
            let enabled = body["enabled"] == true;
            if let Some(script) = world.scripts.get_mut(name) {
                script.on_workers_dev = enabled;
            }
            Answer::Good(json!({ "enabled": enabled, "previews_enabled": body["previews_enabled"] }))
        }
        (["script-settings"], &Method::PATCH) => Answer::Good(json!({})),
        (what, &Method::GET) => read(&world.scripts[name], what),
        _ => Answer::Unknown,
    }
}

/// Changes secrets: a version with the same code.
fn secrets(world: &mut World, name: &str, body: &Value) -> Answer {
    let script = &world.scripts[name];
    let Some(last) = script.versions.last().cloned() else {
        return NO_SCRIPT;
    };
    if script.live().map(|live| &live.id) != Some(&last.id) {
        return Answer::Bad(
            400,
            10215,
            "The latest version of your Worker is not currently deployed.",
        );
    }
    let empty = Map::new();
    let mut version = Version {
        id: world.fresh(),
        ..last
    };
    for (secret, value) in body["secrets"].as_object().unwrap_or(&empty) {
        match value["text"].as_str() {
            Some(text) => {
                version.secrets.insert(secret.clone(), text.to_owned());
            }
            None => {
                version.secrets.remove(secret);
            }
        }
    }
    let id = version.id.clone();
    if let Some(script) = world.scripts.get_mut(name) {
        script.versions.push(version);
    }
    deploy(world, name, &id);
    Answer::Good(json!([]))
}

fn bindings(version: &Version) -> Vec<Value> {
    let secrets = version
        .secrets
        .keys()
        .map(|name| json!({ "name": name, "type": "secret_text" }));
    version.bindings.iter().cloned().chain(secrets).collect()
}

fn version_json(version: &Version) -> Value {
    json!({
        "id": version.id, "number": 1, "metadata": { "created_on": "2026-11-30T00:00:00Z", "source": "wrangler" },
        "annotations": {}, "resources": {
            "script": { "etag": version.etag, "handlers": ["fetch"] }, "script_runtime": {}, "bindings": bindings(version),
        },
    })
}

fn read(script: &Script, what: &[&str]) -> Answer {
    match what {
        ["settings"] => Answer::Good(json!({ "bindings": script.live().map(bindings).unwrap_or_default() })),
        ["secrets"] => {
            let names = script.live().into_iter().flat_map(|live| live.secrets.keys());
            Answer::Good(
                names
                    .map(|name| json!({ "name": name, "type": "secret_text" }))
                    .collect(),
            )
        }
        ["schedules"] => {
            let crons: Vec<Value> = script.crons.iter().map(|cron| json!({ "cron": cron })).collect();
            Answer::Good(json!({ "schedules": crons }))
        }
        ["deployments"] => {
            let one = |(nth, (id, version)): (usize, &(String, String))| {
                json!({
                    "id": id, "strategy": "percentage", "source": "wrangler", "author_email": "a@example.com",
                    "created_on": format!("2026-11-30T00:{:02}:{:02}Z", nth / 60, nth % 60),
                    "versions": [{ "version_id": version, "percentage": 100 }], "annotations": {},
                })
            };
            let mut all: Vec<Value> = script.deployments.iter().enumerate().map(one).collect();
            all.reverse();
            Answer::Good(json!({ "deployments": all }))
        }
        ["versions"] => {
            let all: Vec<Value> = script.versions.iter().rev().map(version_json).collect();
            Answer::Good(json!({ "items": all }))
        }
        ["versions", id] => match script.versions.iter().find(|version| version.id == *id) {
            Some(version) => Answer::Good(version_json(version)),
            None => Answer::Bad(404, 10212, "This Worker version does not exist."),
        },
        _ => Answer::Unknown,
    }
}
