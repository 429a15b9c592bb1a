//! The description as programs read it that know nothing else of psn: a validator of OpenAPI documents, a generated client,
//! and schemathesis, which asks every route what its description allows and what it does not.

use crate::bench::{Bench, Client};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Seconds that schemathesis makes requests up, beside those that follow from the description, and where it begins.
/// `PSN_FUZZ_S` and `PSN_FUZZ_SEED` say otherwise.
const FUZZ: (&str, &str) = ("15", "1");

/// The Python of these tools. Without it the test is skipped, unless `PSN_OPENAPI_TEST` says that it is required.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("PSN_OPENAPI_PYTHON").map(PathBuf::from);
    let found = named.filter(|path| path.is_file());
    if found.is_none() {
        let hint = "`python3 -m venv V && V/bin/pip install -r tests/openapi/requirements.txt`, then `PSN_OPENAPI_PYTHON=V/bin/python`";
        assert!(
            std::env::var("PSN_OPENAPI_TEST").as_deref() != Ok("required"),
            "there is no Python with the tools for the description, and this run needs one: {hint}"
        );
        println!("skipped: there is no Python with the tools for the description: {hint}");
    }
    found
}

/// Serves the API on a port of the system's choice.
async fn served(client: &Client) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = client.router();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// Runs one of the tools in that folder; panics with what it says when it is not content.
async fn run(name: &'static str, mut command: Command, folder: &Path) {
    command
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{name}: {}\n{}", output.status, said.concat());
    println!("{name}: {}", said[0].lines().last().unwrap_or_default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_keeps_to_its_description() {
    let Some(python) = python() else { return };
    let bench = Bench::new("outside").await;
    let base = served(&bench.ada).await;
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("openapi.json");
    let mut description = bench.ada.get("/openapi.json").await.ok();
    with_what_is_there(&bench.ada, &mut description).await;
    std::fs::write(&document, description.to_string()).unwrap();
    let python = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.args(arguments);
        command
    };
    let file = document.to_str().unwrap();

    run(
        "validator",
        python(&["-m", "openapi_spec_validator", file]),
        folder.path(),
    )
    .await;

    let generate = [
        "-m",
        "openapi_python_client",
        "generate",
        "--meta",
        "none",
        "--fail-on-warning",
    ];
    let mut generate = python(&generate);
    generate.args(["--path", file, "--output-path", "psn_client"]);
    // The generator tidies what it wrote with a program beside it.
    let tools = Path::new(generate.get_program()).parent().unwrap().to_path_buf();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([tools].into_iter().chain(std::env::split_paths(&path))).unwrap();
    generate.env("PATH", path);
    run("generator", generate, folder.path()).await;
    let uses = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openapi/client.py");
    let mut client = python(&[uses, &base, crate::bench::TOKEN]);
    client.env("PYTHONPATH", folder.path());
    run("generated client", client, folder.path()).await;

    let header = format!("Authorization: Bearer {}", crate::bench::TOKEN);
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openapi/schemathesis.toml");
    let mut fuzz = python(&["-m", "schemathesis.cli", "--config-file", config, "run", file]);
    fuzz.args(["--url", &base, "-H", &header]);
    let said = |name: &str, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    let (seconds, seed) = (said("PSN_FUZZ_S", FUZZ.0), said("PSN_FUZZ_SEED", FUZZ.1));
    fuzz.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "15"]);
    fuzz.args(["--max-time", &seconds, "--workers", "2", "--seed", &seed, "--no-shrink"]);
    fuzz.args([
        "--continue-on-failure",
        "--warnings",
        "off",
        "--generation-database",
        "none",
    ]);
    fuzz.args(["--exclude-checks", UNCHECKED]);
    run("schemathesis", fuzz, folder.path()).await;
}

/// What is not asked for of what schemathesis can check: it cannot know which ids are there or gone, nor every rule of a text.
/// (A check that is named to be made is made also where `schemathesis.toml` leaves it out.) What stays: no fault, no answer
/// that is not described, no bad request that is taken, no method that is not there, no way around the token.
const UNCHECKED: &str = "positive_data_acceptance,missing_required_header,use_after_free,ensure_resource_availability";

/// Makes a thing of each kind and puts their ids into the document as examples, so that what is asked for is there.
async fn with_what_is_there(client: &Client, document: &mut Value) {
    let post = client
        .post("/v1/posts", json!({ "platform": "x", "content": "Clocks lie." }))
        .await
        .ok();
    let idea = client
        .post("/v1/ideas", json!({ "title": "Why clocks lie" }))
        .await
        .ok();
    let series = json!({ "name": "Clock Mondays", "platform": "x", "cadence": "weekly" });
    let series = client.post("/v1/series", series).await.ok();
    let token = client.post("/v1/tokens", json!({ "name": "laptop" })).await.ok();
    let account = client.get("/v1/accounts").await.ok()["items"][0].clone();
    let things = [
        ("/v1/posts/", &post["posts"][0]),
        ("/v1/calendar/slots/", &post["posts"][0]),
        ("/v1/ideas/", &idea),
        ("/v1/series/", &series),
        ("/v1/tokens/", &token),
        ("/v1/accounts/", &account),
    ];
    for (path, operations) in document["paths"].as_object_mut().unwrap() {
        let Some((_, thing)) = things.iter().find(|(prefix, _)| path.starts_with(prefix)) else {
            continue;
        };
        for operation in operations.as_object_mut().unwrap().values_mut() {
            for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
                if parameter["$ref"] == "#/components/parameters/id" {
                    let schema = json!({ "type": "string", "format": "uuid" });
                    *parameter = json!({ "name": "id", "in": "path", "required": true, "schema": schema, "example": thing["id"] });
                }
            }
        }
    }
}
