//! `psn team join`. The token is made here and kept before it is sent: a lost answer costs nothing, the same command ends it.

use crate::api::auth::fresh_token;
use crate::cli::Context;
use crate::cli::ambient::SystemEntropy;
use crate::cli::client::Worker;
use crate::cli::config::env_file::read_env_file;
use crate::cli::config::files::{read_file, write_private};
use crate::cli::config::hubs::write_env;
use crate::cli::error::{CliError, CliResult, file_reason};
use crate::domain::hub::{self, Invitation, SLUG_EXPECTED, USER_EXPECTED};
use crate::domain::time::Millis;
use crate::ports::entropy::Entropy;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

pub const EXAMPLES: &str = "\
Examples:
  psn team join 'https://psn.example.workers.dev/join#0123…' --user bob
  psn team join - --user bob --name \"Bob B.\"      the invite on standard input

What you get stands in `.hubs/<slug>.env`: the worker's address and a token of your own. Nothing that is there is
overwritten. With several hubs, `PSN_HUB=<slug>` says which one a command is about.";

/// Time for the worker to let somebody in.
const DEADLINE: Millis = Millis(30_000);

/// With what.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// The invite, in quotes, copied whole (`-` is stdin)
    invite: String,
    /// The name you want to go by, or the one that the invite was made for
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The name people know you by
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where to write to you
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// What to call the hub here; left out, as its admin does
    #[arg(long, value_name = "SLUG")]
    slug: Option<String>,
}

/// What one try leaves for the next.
#[derive(Serialize, Deserialize)]
struct Pending {
    user: String,
    token: String,
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the invite or the name; what the worker says; a file that cannot be written.
pub async fn run(context: &Context, args: JoinArgs) -> CliResult {
    let text = match args.invite.as_str() {
        "-" => crate::cli::commands::post::read_text("-")?,
        text => text.to_owned(),
    };
    let invitation = Invitation::parse(&text).map_err(|error| CliError::input(error.to_string()))?;
    if !hub::is_user_name(&args.user) {
        return Err(CliError::input("`--user` is a name that nobody may take").hint(USER_EXPECTED));
    }
    if args.slug.as_deref().is_some_and(|slug| !hub::is_slug(slug)) {
        return Err(CliError::input("`--slug` is no slug").hint(SLUG_EXPECTED));
    }
    let folder = context.root.clone().unwrap_or_default().join(".hubs");
    let pending_path = context.state_folder().join(pending_name(&invitation.code));
    let pending = pending(&pending_path, &args.user)?;
    let mut body = Map::from_iter([
        ("code".to_owned(), json!(invitation.code)),
        ("user".to_owned(), json!(args.user)),
        ("token".to_owned(), json!(pending.token)),
    ]);
    body.extend(args.name.map(|name| ("name".to_owned(), json!(name))));
    body.extend(args.email.map(|email| ("email".to_owned(), json!(email))));
    let worker = Worker::unknown(&invitation.origin)?;
    let joined = worker
        .post_slow("/v1/join", &Value::Object(body), DEADLINE)
        .await
        .map_err(|error| match error.problem.is_some() {
            true => error,
            false => error.hint("run the same command again: it goes on, whether or not you were let in"),
        })?;
    let wanted = args.slug.or_else(|| joined["hub"]["slug"].as_str().map(str::to_owned));
    // What a worker says is no path of ours before it was looked at.
    let wanted = wanted
        .filter(|slug| hub::is_slug(slug))
        .unwrap_or_else(|| "team".to_owned());
    let (slug, path) = place(&folder, &wanted, &invitation.origin)?;
    write_env(
        &path,
        &[
            ("PSN_URL", Some(&invitation.origin)),
            ("PSN_API_TOKEN", Some(&pending.token)),
        ],
    )?;
    let _ = std::fs::remove_file(&pending_path);
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&json!({
            "hub": joined["hub"], "user": joined["user"], "role": joined["role"], "slug": slug,
            "file": path.display().to_string(),
        }));
        return Ok(());
    }
    let name = joined["hub"]["name"].as_str().unwrap_or(&slug);
    printer.data(format!(
        "you belong to {} as {} ({})",
        crate::cli::printer::excerpt(name, 60),
        args.user,
        joined["role"].as_str().unwrap_or("member")
    ));
    printer.talk(format!(
        "your token stands in `{}`, which only you may read. With several hubs here, name this one: `PSN_HUB={slug} psn post list`",
        path.display()
    ));
    Ok(())
}

/// The code itself stays out of file names.
fn pending_name(code: &str) -> String {
    let digest = Sha256::digest(code.as_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("join-{name}.json")
}

/// The token of an earlier try under that name, or a fresh one, kept before anybody sees it.
fn pending(path: &Path, user: &str) -> CliResult<Pending> {
    let before = read_file(path)?.and_then(|text| serde_json::from_str::<Pending>(&text).ok());
    if let Some(before) = before.filter(|before| before.user == user) {
        return Ok(before);
    }
    let mut random = [0; 32];
    SystemEntropy.fill(&mut random);
    let pending = Pending {
        user: user.to_owned(),
        token: fresh_token(random),
    };
    write_private(path, &serde_json::to_string(&pending).unwrap_or_default())?;
    Ok(pending)
}

/// Where the hub's file goes: none that is there, but for one of the same worker, whose token has ended.
fn place(folder: &Path, wanted: &str, origin: &str) -> CliResult<(String, PathBuf)> {
    for number in 1..100 {
        let slug = match number {
            1 => wanted.to_owned(),
            _ => format!("{wanted}-{number}"),
        };
        let path = folder.join(format!("{slug}.env"));
        let is_taken = |path: &Path| match std::fs::symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(CliError::outcome(format!(
                "`{}` cannot be used: {}",
                path.display(),
                file_reason(&error)
            ))),
        };
        if is_taken(&folder.join(format!("{slug}.json")))? {
            continue;
        }
        let is_ours = || -> CliResult<bool> {
            let before = read_env_file(&path)?.unwrap_or_default();
            Ok(before
                .get("PSN_URL")
                .is_some_and(|url| url.trim_end_matches('/') == origin))
        };
        if !is_taken(&path)? || is_ours()? {
            return Ok((slug, path));
        }
    }
    Err(
        CliError::input(format!("there are too many hubs called `{wanted}` here"))
            .hint("give another name with `--slug`"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// F-36: joining overwrites no hub that is there.
    #[test]
    fn nothing_that_is_there_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let place = |origin: &str| place(folder.path(), "team", origin).unwrap().0;
        assert_eq!(place("https://a"), "team");
        write("team.json", "{}");
        assert_eq!(place("https://a"), "team-2");
        write("team-2.env", "PSN_URL=https://b\n");
        assert_eq!(place("https://a"), "team-3");
        // Back at the same worker, where the former token has ended.
        assert_eq!(place("https://b"), "team-2");
    }

    #[test]
    fn a_second_try_shows_the_same_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/join-1.json");
        let token = |user: &str| pending(&path, user).unwrap().token;
        let first = token("bob");
        assert_eq!(token("bob"), first);
        assert_ne!(token("eve"), first);
    }
}
