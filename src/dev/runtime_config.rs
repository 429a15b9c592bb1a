//! What workerd is told: its configuration file, written out of `wrangler.toml`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use super::bucket::{self, Bucket};
use super::capnp::quote;
use crate::domain::cron::{Cron, CronError};

/// The parts of `wrangler.toml` that the local runtime follows.
#[derive(Debug, Deserialize)]
pub struct Wrangler {
    /// The Worker's entry module; its file name counts, the folder is given apart.
    pub main: String,
    /// The date whose behaviour the runtime shows.
    pub compatibility_date: String,
    /// Behaviours switched by name.
    #[serde(default)]
    pub compatibility_flags: Vec<String>,
    #[serde(default)]
    durable_objects: DurableObjects,
    #[serde(default)]
    migrations: Vec<Migration>,
    #[serde(default)]
    triggers: Triggers,
    /// Buckets of R2.
    #[serde(default)]
    pub r2_buckets: Vec<Bucket>,
    /// Plain-text variables.
    #[serde(default)]
    pub vars: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
struct DurableObjects {
    #[serde(default)]
    bindings: Vec<Binding>,
}

#[derive(Debug, Deserialize)]
struct Binding {
    name: String,
    class_name: String,
}

#[derive(Debug, Deserialize)]
struct Migration {
    #[serde(default)]
    new_sqlite_classes: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Triggers {
    #[serde(default)]
    crons: Vec<String>,
}

impl Wrangler {
    /// Reads the text of a `wrangler.toml`.
    ///
    /// # Errors
    /// When it is no TOML or lacks what the runtime needs.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The cron strings of `[triggers]`.
    ///
    /// # Errors
    /// [`CronError`] for the first that cannot be read.
    pub fn crons(&self) -> Result<Vec<Cron>, CronError> {
        self.triggers.crons.iter().map(|text| Cron::parse(text)).collect()
    }
}

/// The control Worker: workerd has no route for cron events, a service binding can send them.
pub const CONTROL_MODULE: &str = r#"export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (request.method !== "POST" || url.pathname !== "/_scheduled") return new Response(null, { status: 404 });
    const event = { cron: url.searchParams.get("cron") ?? "", scheduledTime: new Date() };
    const { outcome } = await env.WORKER.scheduled(event);
    return Response.json({ outcome }, { status: outcome === "ok" ? 200 : 500 });
  },
};
"#;

/// What one configuration is made of besides `wrangler.toml`.
#[derive(Debug)]
pub struct Layout<'a> {
    /// File names of the Worker's modules, beside the configuration file.
    pub modules: &'a [String],
    /// Variables and secrets, as text.
    pub env: &'a BTreeMap<String, String>,
    /// Where the objects' databases lie: an absolute path.
    pub objects: &'a Path,
    /// Where the buckets' contents lie: an absolute path.
    pub buckets: &'a Path,
    /// The Worker's port on 127.0.0.1.
    pub port: u16,
    /// The control Worker's port on 127.0.0.1.
    pub control_port: u16,
}

/// Writes the configuration in Cap'n Proto's text form. It holds secrets: the file is for its owner only.
#[must_use]
pub fn render(wrangler: &Wrangler, layout: &Layout<'_>) -> String {
    let mut out = String::from("using Workerd = import \"/workerd/workerd.capnp\";\n\n");
    out.push_str("const config :Workerd.Config = (\n  services = [\n    (name = \"psn\", worker = (\n");
    let _ = writeln!(
        out,
        "      modules = [\n{}      ],",
        modules(&wrangler.main, layout.modules)
    );
    let _ = writeln!(
        out,
        "      compatibilityDate = {},",
        quote(&wrangler.compatibility_date)
    );
    let flags: Vec<String> = wrangler.compatibility_flags.iter().map(|flag| quote(flag)).collect();
    let _ = writeln!(out, "      compatibilityFlags = [{}],", flags.join(", "));
    let _ = writeln!(out, "      bindings = [\n{}      ],", bindings(wrangler, layout.env));
    let _ = writeln!(
        out,
        "      durableObjectNamespaces = [\n{}      ],",
        namespaces(wrangler)
    );
    out.push_str(
        "      durableObjectStorage = (localDisk = \"objects\"),\n      globalOutbound = \"network\",\n    )),\n",
    );
    let objects = quote(&layout.objects.to_string_lossy());
    let _ = writeln!(
        out,
        "    (name = \"objects\", disk = (path = {objects}, writable = true)),"
    );
    out.push_str("    (name = \"network\", network = (\n      allow = [\"public\", \"private\"],\n");
    out.push_str("      tlsOptions = (trustBrowserCas = true),\n    )),\n    (name = \"control\", worker = (\n");
    let _ = writeln!(
        out,
        "      modules = [(name = \"control.js\", esModule = {})],",
        quote(CONTROL_MODULE)
    );
    let _ = writeln!(
        out,
        "      compatibilityDate = {},",
        quote(&wrangler.compatibility_date)
    );
    out.push_str("      compatibilityFlags = [\"service_binding_extra_handlers\"],\n");
    out.push_str("      bindings = [(name = \"WORKER\", service = \"psn\")],\n    )),\n");
    out.push_str(&bucket::services(&wrangler.r2_buckets, layout.buckets));
    out.push_str("  ],\n  sockets = [\n");
    for (name, port, service) in [
        ("http", layout.port, "psn"),
        ("control", layout.control_port, "control"),
    ] {
        let _ = writeln!(
            out,
            "    (name = \"{name}\", address = \"127.0.0.1:{port}\", http = (), service = \"{service}\"),"
        );
    }
    out.push_str("  ],\n");
    out.push_str(bucket::extensions(&wrangler.r2_buckets));
    out.push_str(");\n");
    out
}

/// The entry module comes first: workerd takes the first as the main one.
fn modules(main: &str, names: &[String]) -> String {
    let main = Path::new(main)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let rest = names.iter().filter(|name| **name != main);
    let mut out = String::new();
    for name in std::iter::once(&main).chain(rest) {
        let kind = if name.ends_with(".wasm") { "wasm" } else { "esModule" };
        let _ = writeln!(out, "        (name = {}, {kind} = embed {}),", quote(name), quote(name));
    }
    out
}

fn bindings(wrangler: &Wrangler, env: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut vars = wrangler.vars.clone();
    vars.extend(env.iter().map(|(name, value)| (name.clone(), value.clone())));
    for (name, value) in &vars {
        let _ = writeln!(out, "        (name = {}, text = {}),", quote(name), quote(value));
    }
    for Binding { name, class_name } in &wrangler.durable_objects.bindings {
        let _ = writeln!(
            out,
            "        (name = {}, durableObjectNamespace = {}),",
            quote(name),
            quote(class_name)
        );
    }
    out.push_str(&bucket::bindings(&wrangler.r2_buckets));
    out
}

/// The unique key names the folder of a class's databases, so it must stay what it is.
fn namespaces(wrangler: &Wrangler) -> String {
    let mut out = String::new();
    for Binding { class_name, .. } in &wrangler.durable_objects.bindings {
        let sql = wrangler
            .migrations
            .iter()
            .any(|migration| migration.new_sqlite_classes.contains(class_name));
        let key = quote(&format!("psn-{class_name}"));
        let _ = writeln!(
            out,
            "        (className = {}, uniqueKey = {key}, enableSql = {sql}),",
            quote(class_name)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn this_repository_s_file_is_followed() {
        let wrangler = Wrangler::parse(include_str!("../../wrangler.toml")).unwrap();
        assert_eq!(wrangler.crons().unwrap()[0].text(), "*/15 * * * *");
        let layout = Layout {
            modules: &["index_bg.wasm".to_owned(), "index.js".to_owned()],
            env: &BTreeMap::from([("PSN_API_TOKEN".to_owned(), "a\"b\\c\nd".to_owned())]),
            objects: Path::new("/state/objects"),
            buckets: Path::new("/state/r2"),
            port: 4000,
            control_port: 4001,
        };
        let text = render(&wrangler, &layout);
        for line in [
            r#"(name = "index.js", esModule = embed "index.js"),"#,
            r#"(name = "index_bg.wasm", wasm = embed "index_bg.wasm"),"#,
            r#"(name = "PSN_API_TOKEN", text = "a\"b\\c\nd"),"#,
            r#"(name = "POST", durableObjectNamespace = "Post"),"#,
            r#"(className = "Index", uniqueKey = "psn-Index", enableSql = true),"#,
            r#"(className = "Account", uniqueKey = "psn-Account", enableSql = true),"#,
            r#"(name = "MEDIA", r2Bucket = "r2-psn-media"),"#,
            r#"(name = "r2-files", disk = (path = "/state/r2", writable = true)),"#,
            r#"(name = "miniflare:zod", esModule = embed "shared/zod.worker.js"),"#,
            r#"(name = "http", address = "127.0.0.1:4000", http = (), service = "psn"),"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert!(text.find("\"index.js\"").unwrap() < text.find("\"index_bg.wasm\"").unwrap());
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(quote("\t\u{7f}é"), "\"\\x09\\x7fé\"");
    }
}
