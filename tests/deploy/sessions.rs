//! A login of `wrangler login` instead of a token, and taking a worker away at a terminal.

use crate::place::{Place, TOKEN};
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};

const SESSION: &str = "home/.config/.wrangler/config/default.toml";

/// What wrangler keeps of a login that lasts until then.
fn session(place: &Place, until: &str) {
    let path = place.root().join(SESSION);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let scopes = r#"["account:read", "user:read", "workers:write", "workers_scripts:write", "offline_access"]"#;
    let text = format!(
        "oauth_token = \"{TOKEN}\"\nexpiration_time = \"{until}\"\nrefresh_token = \"the-next-login\"\nscopes = {scopes}\n"
    );
    std::fs::write(path, text).unwrap();
}

/// Runs the program at a terminal that is its own, types once it asks, and gives how it ended and what the terminal showed.
fn at_a_terminal(place: &Place, arguments: &[&str], typed: &str) -> (ExitStatus, String) {
    let pty = nix::pty::openpty(None, None).unwrap();
    let end = || std::fs::File::from(pty.slave.try_clone().unwrap());
    let (own, mut master) = (place.command(arguments), std::fs::File::from(pty.master));
    let own = own.as_std();
    // The terminal has to be its own for Ctrl-C to be more than a letter, and whoever runs the tests in the background ignores
    // it on behalf of all that they start.
    let mut command = Command::new("env");
    command
        .args(["--default-signal=INT", "setsid", "--ctty"])
        .arg(own.get_program())
        .args(own.get_args())
        .env_clear();
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let child = command
        .current_dir(place.root())
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn();
    let mut child = child.unwrap();
    drop((command, pty.slave));
    let (mut shown, mut bytes, mut asked) = (Vec::new(), [0; 1024], false);
    // The other end closed is an error here, and the end of what there is to read.
    while let Ok(count @ 1..) = master.read(&mut bytes) {
        shown.extend_from_slice(&bytes[..count]);
        if !asked && String::from_utf8_lossy(&shown).contains("to go on:") {
            asked = true;
            master.write_all(typed.as_bytes()).unwrap();
        }
    }
    let shown = String::from_utf8(shown).unwrap();
    assert!(asked, "it did not ask: {shown}");
    place.secrets.absent_from("the terminal", &shown);
    (child.wait().unwrap(), shown)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_wrangler_is_a_login_and_only_the_name_takes_a_worker_away() {
    let mut place = Place::new().await;
    place.begun().await;
    place.secrets.add("what renews the login", "the-next-login");
    place.set("config/keys.env", &[("CLOUDFLARE_API_TOKEN", "")]);
    session(&place, "2099-01-01T00:00:00.000Z");
    let deployed = place.run(&mut place.deploy(&[])).await.good().json();
    assert_eq!(deployed["uploaded"], true, "{deployed}");
    // wrangler has left its login as it was, and psn keeps none of it.
    assert!(place.read(SESSION).contains("2099-01-01"));
    let except = [
        "config/keys.env",
        ".hubs/personal.json",
        ".hubs/personal.env",
        "node_modules",
        SESSION,
    ];
    assert!(place.secrets.absent_from_files(place.root(), &except) >= 2);
    assert_eq!(place.cloudflare.unknown(), [""; 0]);

    // Typed at the terminal: another name, nothing, the end of what there is to type.
    for (typed, expected) in [
        (
            "team\n",
            "`team` is not the name of the hub, and nothing was taken away",
        ),
        (
            "personal-\n",
            "`personal-` is not the name of the hub, and nothing was taken away",
        ),
        ("\n", "no name was typed, and nothing was taken away"),
        ("\u{4}", "no name was typed, and nothing was taken away"),
    ] {
        let (status, shown) = at_a_terminal(&place, &["destroy"], typed);
        assert_eq!(status.code(), Some(2), "{typed:?}: {shown}");
        assert!(
            shown.contains(expected) && shown.contains("hint:"),
            "{typed:?}: {shown}"
        );
        assert!(
            shown.contains("this takes away worker `psn-personal` with its objects and secrets"),
            "{shown}"
        );
    }
    let (status, shown) = at_a_terminal(&place, &["destroy"], "\u{3}");
    assert_eq!(status.signal(), Some(nix::libc::SIGINT), "{shown}");
    assert_eq!(place.cloudflare.count("DELETE", ""), 0);
    assert!(place.cloudflare.script("psn-personal").is_some());
    let (status, shown) = at_a_terminal(&place, &["destroy"], "personal\n");
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(shown.contains("hub `personal` has no worker any more"), "{shown}");
    assert!(place.cloudflare.script("psn-personal").is_none());

    // A login that has ended and that nobody renews: here there is no way to where it would be.
    session(&place, "2020-01-01T00:00:00.000Z");
    let ended = place.run(&mut place.deploy(&["--dry-run"])).await;
    assert_eq!(ended.code, 2, "{ended:?}");
    let (what, todo) = (
        "the session of `wrangler login` has ended and was not renewed",
        "run `npx wrangler login` again",
    );
    assert!(ended.stderr.contains(what) && ended.stderr.contains(todo), "{ended:?}");
    // One that Cloudflare no longer takes.
    session(&place, "2099-01-01T00:00:00.000Z");
    place
        .cloudflare
        .world(|world| world.token = "of-another-login".to_owned());
    let refused = place.run(&mut place.deploy(&["--dry-run"])).await;
    let what = "Cloudflare does not accept the session of `wrangler login`";
    assert!(
        refused.code == 2 && refused.stderr.contains(what) && refused.stderr.contains(todo),
        "{refused:?}"
    );
}
