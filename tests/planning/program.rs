//! The program `psn` over the API of this bench: what people see.

use crate::bench::Bench;
use psn::domain::time::Millis;
use std::process::{Command, Stdio};

/// Runs the program, and gives all that it says.
async fn psn(url: &str, arguments: &[&str], stdin: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    let root = tempfile::tempdir().unwrap();
    command
        .args(arguments)
        .env_clear()
        .envs([("PSN_URL", url), ("PSN_API_TOKEN", "secret"), ("NO_COLOR", "1")])
        .env("PSN_ROOT", root.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (stdin, shown) = (stdin.to_owned(), arguments.join(" "));
    let run = tokio::task::spawn_blocking(move || {
        use std::io::Write;
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    let output = run.await.unwrap();
    drop(root);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap();
    format!(
        "$ psn {shown}\n-- exit {code}\n{}-- stderr\n{}",
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// Every id in a text, where it begins: 36 characters that are a UUID.
fn ids(text: &str) -> Vec<&str> {
    let starts = (0..text.len()).filter(|start| text.is_char_boundary(*start));
    let words = starts.filter_map(|start| text.get(start..start + 36));
    words
        .filter(|word| word.as_bytes()[8] == b'-' && uuid::Uuid::try_parse(word).is_ok())
        .collect()
}

#[tokio::test]
async fn planning_as_people_see_it() {
    let bench = Bench::new("program").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = bench.ada.router();
    let server = tokio::spawn(async move { axum::serve(listener, served).await });
    let mut said = Vec::new();
    let post = "Clocks are set twice a year, and nobody likes it very much";
    for arguments in [
        &["settings", "show"][..],
        &["post", "create", "--text", "Too early", "--at", "tomorrow 9:00"],
        &["settings", "set", "--time-zone", "Europe/Berlin"],
        &["post", "create", "--text", post, "--at", "tomorrow 9:00"],
        &["post", "create", "--text", "The next slot", "--at", "next_free_slot"],
        &["calendar"],
        &["calendar", "--week", "soon"],
        &["idea", "list"],
        &["series", "due"],
        &[
            "series",
            "create",
            "Clock Mondays",
            "--every",
            "3",
            "--label",
            "S{s} E{e}",
        ],
        &[
            "idea",
            "add",
            "Why clocks lie #pillar:craft #urgency:timely",
            "--notes",
            "Twice a year",
        ],
    ] {
        said.push(psn(&url, arguments, "").await);
    }
    let idea = ids(said.last().unwrap())[0].to_owned();
    bench.stage.world.advance(Millis::from_secs(4 * 86_400));
    for arguments in [
        &["idea", "move", &idea, "used"][..],
        &["idea", "rate", &idea, "kill", "--reason", "clocks do not lie"],
        &["idea", "list", "--status", "spark,killed"],
        &["idea", "edit", &idea],
        &["idea", "delete", &idea],
        &["idea", "show", &idea],
        &["series", "due"],
        &["plan", "show"],
    ] {
        said.push(psn(&url, arguments, "").await);
    }
    let slots = r#"[{"day": "monday", "platform": "x", "topic": "clocks", "format": "thread"}]"#;
    said.push(psn(&url, &["plan", "save", "--week", "next", "--file", "-"], slots).await);
    let wrong = r#"[{"day": "monday"}]"#;
    said.push(psn(&url, &["plan", "save", "--file", "-"], wrong).await);
    let said = said.join("\n");
    let shown = ids(&said)
        .into_iter()
        .fold(said.clone(), |text, id| text.replace(id, "ID"));
    insta::assert_snapshot!(shown.replace(&url, "URL"));
    server.abort();
}
