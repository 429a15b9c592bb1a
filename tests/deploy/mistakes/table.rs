//! The mistakes, command by command.

use super::{CLOSED, Mistake, deployed, wrong};
use crate::place::{ACCOUNT, NEON_KEY, TOKEN};

const HUB: &str = ".hubs/personal.json";
const OWN: &str = ".hubs/personal.env";
const KEYS: &str = "config/keys.env";
const LOGIN: &str = "CLOUDFLARE_API_TOKEN=";

/// Every command with its mistakes.
pub fn all() -> Vec<(&'static str, Vec<Mistake>)> {
    vec![
        ("init", init()),
        ("hub_create", hub_create()),
        ("hub_list", hub_list()),
        ("migrate", migrate()),
        ("deploy", deploy()),
        ("deploy_dry_run", deploy_dry_run()),
        ("deploy_rollback", deploy_rollback()),
        ("secrets", secrets()),
        ("doctor", doctor()),
        ("keys", keys()),
        ("export", export()),
        ("destroy", destroy()),
        ("takeover", takeover()),
        ("dev", dev()),
        ("demo", demo()),
        ("bench", bench()),
        ("assistant", assistant()),
        ("completions", completions()),
        ("man", man()),
    ]
}

/// How many of each there have to be.
pub const AT_LEAST: usize = 10;

/// What is wrong at every command that takes a hub of one's own.
fn of_hubs(typed: &'static str) -> Vec<Mistake> {
    let all = vec![
        wrong("two hubs, and none is said", typed, 2).hub("red").hub("blue"),
        wrong("a hub that is not there", &format!("{typed} --hub team"), 2).hub("personal"),
        wrong("a hub file that is cut", typed, 2).hub("personal").edit(
            HUB,
            "\"triggerProjectId\": \"\"",
            "\"triggerProjectId",
        ),
        wrong("a comma is missing", typed, 2).hub("personal").edit(
            HUB,
            "\"slug\": \"personal\",",
            "\"slug\": \"personal\"",
        ),
        wrong("a key that was copied badly", typed, 2)
            .hub("personal")
            .edit(HUB, "{KEY}", "0011"),
        wrong("a line of a shell script", typed, 2).hub("personal").edit(
            KEYS,
            LOGIN,
            "export X_CLIENT_ID\nCLOUDFLARE_API_TOKEN=",
        ),
        wrong("the program lies in no clone", typed, 2).nowhere(),
    ];
    all.into_iter().map(Mistake::tools).collect()
}

fn init() -> Vec<Mistake> {
    const BEGUN: &str = "NEON_API_KEY=";
    let new = |title, typed: &str, exit| wrong(title, typed, exit);
    vec![
        new("a name with a space", "init --hub 'my team'", 2),
        new("a path as a name", "init --hub ../team", 2),
        new("a name that begins with a dash", "init --hub=-team", 2),
        new("the name without its option", "init team", 2),
        new("the program lies in no clone", "init", 2).nowhere(),
        new(
            "an address of a page instead of a connection string",
            "init --database -",
            2,
        )
        .stdin("https://console.neon.tech/app/projects/x\n"),
        new("nothing on standard input", "init --database -", 2),
        new("a file that is not there", "init --database url.txt", 2),
        new(
            "the connection string as an argument",
            "init --database postgresql://ada:secret@db.example/neondb",
            2,
        ),
        new("a wrong key of Neon", "init", 1)
            .file(KEYS, format!("{BEGUN}napi_of_nobody\n"))
            .makes(OWN),
        new("a key of Neon with a letter that no key has", "init", 1)
            .file(KEYS, format!("{BEGUN}napi_é\n"))
            .makes(OWN),
        new("Neon is not reached", "init", 1)
            .file(KEYS, format!("{BEGUN}{NEON_KEY}\n"))
            .env("NEON_API_BASE_URL", CLOSED)
            .makes(OWN),
        new("a database that is not reached", "init --database -", 1)
            .stdin("{MIGRATED}")
            .env("NEON_SQL_URL", "{CLOSED}/sql")
            .makes(OWN)
            .makes(KEYS),
        new("a hub that has a database already", "init --database -", 2)
            .hub("personal")
            .stdin("{EMPTY}"),
        new("a file where the folder should be", "init", 1)
            .file(".hubs", "mine")
            .makes(KEYS),
        new("with --json, a name that is none", "init --hub a/b --json", 2),
    ]
}

fn hub_create() -> Vec<Mistake> {
    let new = |title, typed: &str, exit| wrong(title, typed, exit);
    vec![
        new("no name", "hub create", 2),
        new("a name with a space", "hub create 'my team'", 2),
        new("a path as a name", "hub create ../team", 2),
        new(
            "a name that is too long",
            &format!("hub create {}", "team".repeat(20)),
            2,
        ),
        new("two names", "hub create my team", 2),
        new("no database, and no key of Neon", "hub create team", 2)
            .makes(KEYS)
            .makes(".hubs/team.env"),
        new("a wrong key of Neon", "hub create team", 1)
            .file(KEYS, "NEON_API_KEY=napi_of_nobody\n")
            .makes(".hubs/team.env"),
        new("no connection string", "hub create team --database -", 2).stdin("neondb"),
        new("a file that is not there", "hub create team --database url.txt", 2),
        new("an admin with a space", "hub create team --admin 'ada l'", 2),
        new(
            "another database for a hub that has one",
            "hub create team --database -",
            2,
        )
        .hub("team")
        .stdin("{EMPTY}"),
        new("a misspelt word", "hub creat team", 2),
        new("the program lies in no clone", "hub create team", 2).nowhere(),
        new("with --json, no database", "hub create team --json", 2)
            .makes(KEYS)
            .makes(".hubs/team.env"),
    ]
}

fn hub_list() -> Vec<Mistake> {
    vec![
        wrong("a misspelt word", "hub lst", 2),
        wrong("no word", "hub", 2),
        wrong("the word of another program", "hub ls", 2),
        wrong("the plural", "hubs", 2),
        wrong("a word for one of them", "hub show personal", 2).hub("personal"),
        wrong("a misspelt option", "hub list --jsn", 2),
        wrong("a name", "hub list team", 2).hub("team"),
        wrong("an option of another command", "hub list --hub team", 2).hub("team"),
        wrong("the program lies in no clone", "hub list", 2).nowhere(),
        wrong("with --json, in no clone", "hub list --json", 2).nowhere(),
    ]
}

fn migrate() -> Vec<Mistake> {
    let mut all = of_hubs("migrate");
    all.extend([
        wrong("nothing is set up", "migrate", 2),
        wrong("no hub yet", "migrate --hub team", 2),
        wrong("an address of a page", "migrate", 2).env("DATABASE_URL", "https://console.neon.tech"),
        wrong("a database that is not there", "migrate --hub personal", 1)
            .hub("personal")
            .edit(HUB, "/migrated", "/absent"),
        wrong("a wrong password", "migrate --hub personal", 1)
            .hub("personal")
            .edit(HUB, ":", ":")
            .edit(HUB, "postgresql://", "postgresql://x"),
        wrong("no network", "migrate --hub personal --dry-run", 1)
            .hub("personal")
            .edit(OWN, "{SQL}", "{CLOSED}/sql"),
        wrong("the address of something else", "migrate --hub personal", 1)
            .hub("personal")
            .edit(OWN, "{SQL}", "{SITE}/sql"),
        wrong("with --json, no network", "migrate --hub personal --json", 1)
            .hub("personal")
            .edit(OWN, "{SQL}", "{CLOSED}/sql"),
    ]);
    all
}

fn deploy() -> Vec<Mistake> {
    let on = |title, typed: &str| wrong(title, typed, 2).hub("personal").tools();
    let mut all = of_hubs("deploy");
    all.extend([
        wrong("no hub yet", "deploy", 2).tools(),
        wrong("nobody has run `scripts/setup`", "deploy", 2)
            .hub("personal")
            .file("scripts/setup", ""),
        on("a wrong token", "deploy").edit(KEYS, TOKEN, "another-token"),
        on("a token with a space in it", "deploy").edit(KEYS, TOKEN, "cf token\u{7}"),
        on("a token that may not touch Workers", "deploy").world(|world| world.denied = vec!["/workers"]),
        on("no login", "deploy").edit(KEYS, TOKEN, ""),
        on("an account that is not the token's", "deploy").edit(
            KEYS,
            LOGIN,
            "CLOUDFLARE_ACCOUNT_ID=0123\nCLOUDFLARE_API_TOKEN=",
        ),
        on("two accounts, and none is said", "deploy")
            .world(|world| world.accounts.push(("f".repeat(32), "Another".to_owned()))),
        on("no network", "deploy").env("CLOUDFLARE_API_BASE_URL", CLOSED),
        on("another value in the shell", "deploy").env("HUB_ENCRYPTION_KEY", "1".repeat(64)),
        on("several things at once", "deploy --built nowhere")
            .edit(OWN, "PSN_API_TOKEN={API_TOKEN}", "")
            .edit(KEYS, TOKEN, ""),
        on("an address with a path", "deploy --url https://example.com/psn"),
        on("a domain without https", "deploy --url http://example.com"),
        on("a name that no worker can have", "deploy --worker My_Worker"),
        on("a worker of somebody else", "deploy").world(|world| {
            deployed(world, "psn-personal");
            let version = &mut world.scripts.get_mut("psn-personal").unwrap().versions[0];
            version.bindings.clear();
            version.secrets.clear();
        }),
        on("a worker that was deployed by hand", "deploy").world(|world| deployed(world, "psn")),
        on("a state file that was edited", "deploy").file(".hubs/state/personal.deploy.json", "{ \"account\": "),
        on("a misspelt option", "deploy --dryrun"),
        on("with --json, a wrong token", "deploy --json").edit(KEYS, TOKEN, "another-token"),
    ]);
    all
}

fn deploy_dry_run() -> Vec<Mistake> {
    let on = |title| wrong(title, "deploy --dry-run", 2).hub("personal").tools();
    vec![
        wrong("no hub yet, although there is a key of Neon", "deploy --dry-run", 2)
            .file(KEYS, format!("NEON_API_KEY={NEON_KEY}\n"))
            .tools(),
        wrong("two hubs, and none is said", "deploy --dry-run", 2)
            .hub("red")
            .hub("blue")
            .tools(),
        wrong("`PSN_HUB` names a hub that is not there", "deploy --dry-run", 2)
            .hub("personal")
            .env("PSN_HUB", "team")
            .tools(),
        wrong("the folder of a build that is none", "deploy --dry-run --built .", 2)
            .hub("personal")
            .tools(),
        on("no database").edit(OWN, "{SQL}", "{CLOSED}/sql"),
        on("a database that was deleted").edit(HUB, "/migrated", "/absent"),
        on("a token that may not see the account")
            .edit(
                KEYS,
                LOGIN,
                format!("CLOUDFLARE_ACCOUNT_ID={ACCOUNT}\nCLOUDFLARE_API_TOKEN="),
            )
            .world(|world| world.denied = vec!["/accounts"]),
        on("a login that sees no account").world(|world| world.accounts.clear()),
        on("another database in the shell").env("DATABASE_URL", "postgresql://ada:secret@db.example/neondb"),
        wrong("a number that is none", "deploy --dry-run --wait soon", 2)
            .hub("personal")
            .tools(),
        wrong("with --json, no hub yet", "deploy --dry-run --json", 2).tools(),
    ]
}

fn deploy_rollback() -> Vec<Mistake> {
    let on = |title, exit| wrong(title, "deploy --rollback", exit).hub("personal").tools();
    let mut all = of_hubs("deploy --rollback");
    all.extend([
        on("nothing was deployed", 1),
        on("there is nothing before", 1).world(|world| deployed(world, "psn-personal")),
        wrong("a version that is not there", "deploy --rollback 1.0", 1)
            .hub("personal")
            .tools()
            .world(|world| deployed(world, "psn-personal")),
        on("no login", 2).edit(KEYS, TOKEN, ""),
        on("no network", 2).env("CLOUDFLARE_API_BASE_URL", CLOSED),
    ]);
    all
}

fn secrets() -> Vec<Mistake> {
    let on = |title, typed: &str, exit| wrong(title, typed, exit).hub("personal").tools();
    let mut all = of_hubs("secrets diff");
    all.extend([
        wrong("no word", "secrets", 2),
        wrong("a misspelt word", "secrets synch", 2),
        wrong("no hub yet", "secrets sync", 2).tools(),
        on("no worker yet", "secrets sync", 2),
        on("a wrong token", "secrets sync", 2).edit(KEYS, TOKEN, "another-token"),
        on("no network", "secrets diff", 2).env("CLOUDFLARE_API_BASE_URL", CLOSED),
        on("another value in the shell", "secrets sync", 2).env("PSN_API_TOKEN", "of-another-hub"),
        on(
            "taking away what the files still say",
            "secrets sync --remove DATABASE_URL",
            2,
        )
        .world(|world| deployed(world, "psn-personal")),
        on(
            "taking away what is not there",
            "secrets sync --remove X_CLIENT_SECRET",
            2,
        )
        .world(|world| deployed(world, "psn-personal")),
        on(
            "the value with the name",
            "secrets sync --remove X_CLIENT_SECRET=abc",
            2,
        )
        .world(|world| deployed(world, "psn-personal")),
        on("with --json, no worker yet", "secrets sync --json", 2),
    ]);
    all
}

fn doctor() -> Vec<Mistake> {
    vec![
        wrong("the program lies in no clone", "doctor", 2).nowhere(),
        wrong("a name without its option", "doctor team", 2),
        wrong("an option of another command", "doctor --fix", 2),
        wrong("an option without its value", "doctor --hub", 2),
        wrong("the option twice", "doctor --hub a --hub b", 2),
        wrong("a misspelt command", "docter", 2),
        wrong("a misspelt option", "doctor --jsn", 2),
        wrong("a value where there is none", "doctor --json=yes", 2),
        wrong("with --json, in no clone", "doctor --json", 2).nowhere(),
        wrong("the worker's name without its value", "doctor --worker", 2),
    ]
}

fn keys() -> Vec<Mistake> {
    let on = |title, typed: &str, exit| wrong(title, typed, exit).hub("personal");
    let mut all = of_hubs("keys status");
    all.extend([
        wrong("no word", "keys", 2),
        on("files that others may read, and no worker", "keys rotate", 2)
            .mode(KEYS, 0o644)
            .edit(OWN, "PSN_URL={SITE}", "PSN_URL="),
        wrong("no hub yet", "keys rotate", 2),
        on("a key file that is not there", "keys rotate --key-file key.txt", 2),
        on("a key that is none", "keys rotate --key-file -", 2).stdin("abc"),
        on("nothing on standard input", "keys rotate --key-file -", 2),
        on("the present key", "keys rotate --key-file -", 2).stdin("{KEY}"),
        on("no worker is named", "keys rotate", 2).edit(OWN, "PSN_URL={SITE}", ""),
        on("no worker is there", "keys rotate", 1).edit(OWN, "PSN_URL={SITE}", "PSN_URL={CLOSED}"),
        on("a worker with another token", "keys rotate", 1).edit(
            OWN,
            "PSN_API_TOKEN={API_TOKEN}",
            "PSN_API_TOKEN=another-token",
        ),
        on("no network", "keys status", 1).edit(OWN, "{SQL}", "{CLOSED}/sql"),
        on("a database that was never migrated", "keys status", 1).edit(HUB, "/migrated", "/deployed"),
        on("with --json, a key that is none", "keys rotate --key-file - --json", 2).stdin("abc"),
    ]);
    all
}

fn export() -> Vec<Mistake> {
    let on = |title, typed: &str, exit| wrong(title, typed, exit).hub("personal");
    vec![
        wrong("no folder", "export", 2).hub("personal"),
        wrong("nothing is set up", "export backup", 2),
        wrong("a hub that is not there", "export backup --hub team", 2).hub("personal"),
        wrong("two hubs, and none is said", "export backup", 2)
            .hub("red")
            .hub("blue"),
        on("a folder that is there", "export backup", 2).file("backup/", ""),
        on("a file that is there", "export backup", 2).file("backup", "mine"),
        on("a folder below a file", "export notes/backup", 1).file("notes", "mine"),
        on("a database that was never migrated", "export backup", 2).edit(HUB, "/migrated", "/deployed"),
        on("a database that is not there", "export backup", 1).edit(HUB, "/migrated", "/absent"),
        on("no network", "export backup", 1).edit(OWN, "{SQL}", "{CLOSED}/sql"),
        on("journals without a worker", "export backup --hub personal --events", 2).edit(OWN, "PSN_URL={SITE}", ""),
        wrong("the program lies in no clone", "export backup --hub personal", 2).nowhere(),
        on("with --json, a folder that is there", "export backup --json", 2).file("backup/", ""),
    ]
}

fn destroy() -> Vec<Mistake> {
    let on = |title, typed: &str| {
        wrong(title, typed, 2)
            .hub("personal")
            .tools()
            .world(|world| deployed(world, "psn-personal"))
    };
    let mut all = of_hubs("destroy --dry-run");
    all.extend([
        wrong("no hub yet", "destroy", 2).tools(),
        on("nobody is there to be asked", "destroy"),
        on("a name on standard input", "destroy").stdin("personal\n"),
        on("`--yes` without the name", "destroy --yes"),
        on("the name of another hub", "destroy --yes team"),
        on("the worker's name instead of the hub's", "destroy --yes psn-personal"),
        on("the name without its option", "destroy personal"),
        on("a wrong token", "destroy --yes personal").edit(KEYS, TOKEN, "another-token"),
        on("with --json, nobody is there to be asked", "destroy --json"),
    ]);
    all
}

fn takeover() -> Vec<Mistake> {
    let on = |title, typed: &str, exit| wrong(title, typed, exit).hub("personal");
    vec![
        wrong("nothing is set up", "takeover --dry-run", 2),
        wrong("two hubs, and none is said", "takeover", 2)
            .hub("red")
            .hub("blue"),
        wrong("`PSN_HUB` names a hub that is not there", "takeover", 2)
            .hub("personal")
            .env("PSN_HUB", "team"),
        on("no worker yet", "takeover", 2).edit(OWN, "PSN_URL={SITE}", ""),
        on("no worker is there", "takeover", 1).edit(OWN, "PSN_URL={SITE}", "PSN_URL={CLOSED}"),
        on("what is there is no worker", "takeover", 1).edit(OWN, "PSN_URL={SITE}", "PSN_URL={SITE}/elsewhere"),
        on("an address that is none", "takeover", 2).edit(OWN, "PSN_URL={SITE}", "PSN_URL=psn.example"),
        on("back, and only saying so", "takeover --undo --dry-run", 2),
        on("back, although it is paused", "takeover --undo --paused", 2),
        on("a misspelt option", "takeover --force", 2),
        on("with --json, no worker is there", "takeover --json", 1).edit(OWN, "PSN_URL={SITE}", "PSN_URL={CLOSED}"),
    ]
}

fn dev() -> Vec<Mistake> {
    vec![
        wrong("a port that is a word", "dev --port http", 2),
        wrong("port 0", "dev --port 0", 2),
        wrong("a port that is too large", "dev --port 70000", 2),
        wrong("the port without its option", "dev 8787", 2),
        wrong("an option without its value", "dev --state-dir", 2),
        wrong("a file where the folder should be", "dev --state-dir state", 2)
            .file("state", "mine")
            .tools(),
        wrong("a folder below a file", "dev --state-dir state/dev", 2)
            .file("state", "mine")
            .tools(),
        wrong("nobody has run `scripts/setup`", "dev --state-dir .psn/dev", 1),
        wrong("the program lies in no clone", "dev", 2).nowhere(),
        wrong("a misspelt option", "dev --prot 8787", 2),
    ]
}

fn demo() -> Vec<Mistake> {
    let tmp = |mistake: Mistake| mistake.env("TMPDIR", "nowhere");
    vec![
        wrong("a text that is not there", "demo --text thread.txt", 2),
        wrong("a folder", "demo --text .", 2),
        wrong("an empty text", "demo --text empty.txt", 2).file("empty.txt", " "),
        wrong("nothing on standard input", "demo --text -", 2),
        wrong("an option without its value", "demo --text", 2),
        wrong("the text without its option", "demo Hello", 2),
        wrong("two texts", "demo --text a.txt --text b.txt", 2),
        wrong("the program lies in no clone", "demo", 2).nowhere(),
        tmp(wrong("no place for its folder", "demo", 1)),
        wrong("nobody has run `scripts/setup`", "demo", 1),
    ]
}

fn bench() -> Vec<Mistake> {
    vec![
        wrong("a value where there is none", "bench --quick=yes", 2),
        wrong("a word", "bench publish", 2),
        wrong("a misspelt option", "bench --quik", 2),
        wrong("an option twice", "bench --quick --quick", 2),
        wrong("an option of another command", "bench --port 8787", 2),
        wrong("a file for the figures", "bench --json=figures.json", 2),
        wrong("a longer word", "benchmark", 2),
        wrong("the program lies in no clone", "bench", 2).nowhere(),
        wrong("no place for its folder", "bench --quick", 1).env("TMPDIR", "nowhere"),
        wrong("with --json, in no clone", "bench --json", 2).nowhere(),
    ]
}

fn assistant() -> Vec<Mistake> {
    let on = |title, typed: &str, exit| wrong(title, typed, exit).hub("personal");
    vec![
        wrong("nothing is set up", "assistant", 2),
        wrong("two hubs, and none is said", "assistant", 2)
            .hub("red")
            .hub("blue"),
        on("no worker yet", "assistant", 2).edit(OWN, "PSN_URL={SITE}", ""),
        on("an address that is none", "assistant", 2).edit(OWN, "PSN_URL={SITE}", "PSN_URL=psn.example"),
        on("an assistant that nobody knows", "assistant --for gpt", 2),
        on("the assistant without its option", "assistant cursor", 2),
        on(
            "a token and a variable for it",
            "assistant --show-token --token-variable MINE",
            2,
        ),
        on("no token to show", "assistant --show-token", 2).edit(OWN, "PSN_API_TOKEN={API_TOKEN}", ""),
        wrong("installing what?", "assistant install", 2),
        wrong(
            "a folder that is not there",
            "assistant install --commands --dir project",
            2,
        ),
        wrong(
            "a file instead of a folder",
            "assistant install --commands --dir notes",
            2,
        )
        .file("notes", "mine"),
        wrong("a file where the folder should be", "assistant install --commands", 2).file(".claude", "mine"),
        on("with --json, no worker yet", "assistant --json", 2).edit(OWN, "PSN_URL={SITE}", ""),
    ]
}

fn completions() -> Vec<Mistake> {
    vec![
        wrong("no shell", "completions", 2),
        wrong("a shell that nobody knows", "completions tcsh", 2),
        wrong("a misspelt shell", "completions zhs", 2),
        wrong("a variable that is empty", "completions ''", 2),
        wrong("an option of another command", "completions bash --dir .", 2),
        wrong("a shell with its version", "completions bash-5", 2),
        wrong("two shells", "completions bash zsh", 2),
        wrong("the path of the shell", "completions /bin/bash", 2),
        wrong("the shell as an option", "completions --shell bash", 2),
        wrong("a misspelt command", "completion bash", 2),
    ]
}

fn man() -> Vec<Mistake> {
    vec![
        wrong("a misspelt command of psn", "man pst", 2),
        wrong("a misspelt word of a command", "man post crate", 2),
        wrong("a command and a folder", "man post --dir man1", 2),
        wrong("an option without its value", "man --dir", 2),
        wrong("a folder without its option", "man ./man1", 2),
        wrong("a file instead of a folder", "man --dir notes", 1).file("notes", "mine"),
        wrong("a folder below a file", "man --dir notes/man1", 1).file("notes", "mine"),
        wrong("a misspelt option", "man --folder man1", 2),
        wrong("a misspelt command", "mann", 2),
        wrong("with --json, a file instead of a folder", "man --dir notes --json", 1).file("notes", "mine"),
    ]
}
