//! `psn account connect`: one command and one click.

use super::finish::{Ground, failure_page, names, not_in};
use super::pending::{KEPT_MS, Question};
use super::wait::{self, Came, Manner};
use super::{platform_named, relay};
use crate::cli::Context;
use crate::cli::ambient::{SYSTEM, SystemEntropy};
use crate::cli::callback;
use crate::cli::client::Worker;
use crate::cli::commands::post::read_text;
use crate::cli::config::Settings;
use crate::cli::error::{CliError, CliResult};
use crate::domain::platform::Platform;
use crate::platforms::oauth::redirect::{self, Consented, bare_code};
use crate::platforms::oauth::{Consent, Verifier, consent_url, needed_scopes};
use crate::ports::clock::Clock;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use http::Uri;
use serde_json::json;
use std::time::Duration;

/// How long a person has. The worker keeps an answer no longer.
const WAIT_S_MAX: u64 = 5 * 60;

/// No platform's code is shorter.
const CODE_BYTES_MIN: usize = 20;

/// What and how.
#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// The platform: x, linkedin, instagram or tiktok
    platform: String,
    /// Whose account it is here
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = NonEmptyStringValueParser::new())]
    user: String,
    /// Print the address instead of opening a browser
    #[arg(long)]
    no_browser: bool,
    /// Where the platform sends the browser back to, as its console has it; `worker` is this worker's /oauth/callback
    /// [default: X_REDIRECT_URI, LINKEDIN_REDIRECT_URI, …, else <http://127.0.0.1:18923/callback>]
    #[arg(long, value_name = "ADDRESS")]
    redirect_uri: Option<String>,
    /// What to ask for, with commas between [default: X_SCOPES, LINKEDIN_SCOPES, …, else what publishing needs]
    #[arg(long, value_name = "LIST")]
    scopes: Option<String>,
    /// How long to wait for you, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = WAIT_S_MAX, value_parser = clap::value_parser!(u64).range(1..=WAIT_S_MAX))]
    timeout: u64,
    /// Print the address and end; `--complete` finishes
    #[arg(long, conflicts_with = "complete")]
    no_wait: bool,
    /// Finish with the address that the browser was sent back to, or the code in it (`-` reads it from stdin, `worker`
    /// asks the worker)
    #[arg(long, value_name = "ADDRESS")]
    complete: Option<String>,
}

/// How an answer comes back.
pub enum Way {
    /// To a server on this machine, at that port and path.
    Loopback {
        /// The port.
        port: u16,
        /// The path.
        path: String,
    },
    /// Through the worker.
    Relay(Worker),
    /// To an address that a person copies it from.
    Paste,
}

/// Runs the command.
///
/// # Errors
/// What went wrong; then nothing is stored.
pub async fn run(context: &Context, args: ConnectArgs) -> CliResult {
    let platform = platform_named(&args.platform)?;
    if let Some(given) = &args.complete {
        return complete(context, platform, given).await;
    }
    let ground = Ground::lay(context).await?;
    let redirect_uri = redirect_uri(platform, args.redirect_uri.as_deref(), &ground.settings)?;
    let way = way(&redirect_uri, &ground.settings)?;
    let scopes: Vec<String> = match &args.scopes {
        Some(list) => list
            .split([',', ' '])
            .filter(|scope| !scope.is_empty())
            .map(str::to_owned)
            .collect(),
        None => ground.oauth.settings().scopes(platform),
    };
    let lacking = not_in(needed_scopes(platform), &scopes);
    if !lacking.is_empty() {
        let are = if lacking.len() == 1 { "is" } else { "are" };
        let message = format!(
            "{} {are} not asked for, and nothing can be published without",
            names(&lacking)
        );
        return Err(CliError::input(message).hint("add it to the scopes, or leave them to psn"));
    }
    let question = Question {
        platform,
        user: args.user,
        redirect_uri,
        state: crate::cli::ambient::random_hex::<32>(),
        verifier: Verifier::random(&SystemEntropy),
        scopes,
        asked_at: SYSTEM.now(),
    };
    let consent = Consent {
        redirect_uri: &question.redirect_uri,
        state: &question.state,
        verifier: &question.verifier,
        scopes: &question.scopes,
    };
    let url =
        consent_url(platform, ground.oauth.settings(), &consent).map_err(|error| CliError::input(error.to_string()))?;
    if let Way::Relay(worker) = &way {
        relay::announce(worker, &question.state).await?;
    }
    if args.no_wait {
        question.keep(context)?;
        say_address(context, &question, &url, &way);
        return Ok(());
    }
    let manner = Manner {
        no_browser: args.no_browser,
        patience: Duration::from_secs(args.timeout),
    };
    let came = wait::answer(context, &question, &url, way, manner).await?;
    settle(context, &ground, &question, came).await
}

/// Uses what came, and shows the browser how it went.
async fn settle(context: &Context, ground: &Ground, question: &Question, came: Came) -> CliResult {
    let Came { answer, page, server } = came;
    let connected = match code_of(question.platform, answer) {
        Ok(code) => ground.finish(question, &code).await,
        Err(error) => Err(error),
    };
    if let Some(sender) = page {
        let page = match &connected {
            Ok(connected) => connected.page(),
            Err(error) => failure_page(question.platform, error),
        };
        // The browser may have gone.
        let _ = sender.send(page);
    }
    if let Some(server) = server {
        server.close().await;
    }
    let connected = connected?;
    ground.warn_of_strays(context, question, connected.account()).await;
    connected.report(context, &ground.settings).await;
    Ok(())
}

fn code_of(platform: Platform, answer: Consented) -> CliResult<crate::store::Secret> {
    match answer {
        Consented::Code(code) => Ok(code),
        Consented::Refused { error, description } => {
            let hint = format!("run `psn account connect {platform}` again when you want to connect it");
            Err(CliError::outcome(redirect::refusal(platform, &error, &description)).hint(hint))
        }
        Consented::Neither => Err(CliError::input("the address holds neither a code nor a reason")
            .hint("copy the whole address that the browser shows after you consented")),
    }
}

/// `--complete`: what another run asked is finished here.
async fn complete(context: &Context, platform: Platform, given: &str) -> CliResult {
    let ground = Ground::lay(context).await?;
    let now = SYSTEM.now();
    if given == "worker" {
        return complete_from_worker(context, platform, &ground).await;
    }
    let text = if given == "-" {
        read_text("-")?
    } else {
        given.to_owned()
    };
    let (state, answer) = pasted(&text)?;
    let question = Question::take(context, platform, state.as_deref(), now)?;
    settle(context, &ground, &question, Came::alone(answer)).await
}

/// `--complete worker`: the worker is asked for each question whose answer it takes. A question is given up only when its
/// answer is here, not when the worker is away.
async fn complete_from_worker(context: &Context, platform: Platform, ground: &Ground) -> CliResult {
    let now = SYSTEM.now();
    let worker = Worker::from_settings(&ground.settings)?;
    let address = relay::address(&worker);
    let mut open = Question::open(context, platform, now);
    open.retain(|question| question.redirect_uri == address);
    if open.is_empty() {
        return Err(CliError::input(
            "the worker waits for no answer: no question was asked through it here in the last 15 minutes",
        )
        .hint(format!(
            "start again with `psn account connect {platform} --redirect-uri worker --no-wait`"
        )));
    }
    let mut refused = None;
    for question in &open {
        match relay::fetch(&worker, &question.state).await {
            Ok(Some(answer)) => {
                let question = Question::take(context, platform, Some(&question.state), now)?;
                return settle(context, ground, &question, Came::alone(answer)).await;
            }
            Ok(None) => {}
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| {
        CliError::outcome("nobody has consented yet").hint("open the address, consent, and run the same command again")
    }))
}

/// What a person copied: the whole address, its query, or the bare code.
///
/// # Errors
/// What it lacks.
pub fn pasted(text: &str) -> CliResult<(Option<String>, Consented)> {
    let text = text.trim();
    let not_it = |what: &str| {
        CliError::input(format!("this {what}"))
            .hint("copy the whole address that the browser shows after you consented")
    };
    let query = match text.split_once('?') {
        Some((_, query)) => query.split('#').next().unwrap_or_default(),
        None if text.starts_with("code=") || text.starts_with("state=") => text,
        None if text.is_empty() => return Err(not_it("is empty")),
        None if text.contains("://") || text.contains(char::is_whitespace) => {
            return Err(not_it("is an address without an answer in it"));
        }
        // A word typed by mistake must not spend the wait: the shortest codes, TikTok's, have more.
        None if text.len() < CODE_BYTES_MIN => return Err(not_it("is too short for an address or a code")),
        None => return Ok((None, Consented::Code(bare_code(text)))),
    };
    let redirect = redirect::read(query).ok_or_else(|| not_it("cannot be read as an address"))?;
    match (redirect.state, redirect.answer) {
        (_, Consented::Neither) => Err(not_it("is an address without a code in it")),
        (None, _) => Err(not_it("address lacks its `state`: a part of it was not copied")),
        (state, answer) => Ok((state, answer)),
    }
}

fn say_address(context: &Context, question: &Question, url: &str, way: &Way) {
    let platform = question.platform;
    let next = match way {
        Way::Relay(_) => {
            format!("open the address, consent, then run `psn account connect {platform} --complete worker`")
        }
        Way::Loopback { .. } | Way::Paste => format!(
            "open the address and consent; the browser then shows a page that may not load: copy its address and run \
             `psn account connect {platform} --complete ADDRESS`"
        ),
    };
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&json!({
            "platform": platform,
            "authorize_url": url,
            "redirect_uri": question.redirect_uri,
            "expires_at": (question.asked_at + KEPT_MS).to_rfc3339(),
            "next": next,
        }));
        return;
    }
    printer.data(url);
    printer.talk(next);
}

/// The redirect address: given, configured, or the usual one.
fn redirect_uri(platform: Platform, given: Option<&str>, settings: &Settings) -> CliResult<String> {
    let name = match platform {
        Platform::X => "X_REDIRECT_URI",
        Platform::LinkedIn => "LINKEDIN_REDIRECT_URI",
        Platform::Instagram => "INSTAGRAM_REDIRECT_URI",
        Platform::TikTok => "TIKTOK_REDIRECT_URI",
    };
    match given.or_else(|| settings.get(name)) {
        None => Ok(format!("http://127.0.0.1:{}{}", callback::PORT, callback::PATH)),
        Some("worker") => Ok(relay::address(&Worker::from_settings(settings)?)),
        Some(address) => Ok(address.to_owned()),
    }
}

/// How an answer to that address reaches this command.
fn way(address: &str, settings: &Settings) -> CliResult<Way> {
    let wrong = |why: &str| {
        CliError::input(format!("the redirect address {why}"))
            .hint("it looks like `http://127.0.0.1:18923/callback`, the same as in the platform's console")
    };
    let uri: Uri = address.parse().map_err(|_| wrong("is not a whole address"))?;
    let (Some(scheme @ ("http" | "https")), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(wrong("does not begin with `http://` or `https://`"));
    };
    if uri.query().is_some() || address.contains('#') {
        return Err(wrong("has a `?` or a `#`, which no platform allows"));
    }
    if let Ok(worker) = Worker::from_settings(settings)
        && address == relay::address(&worker)
    {
        return Ok(Way::Relay(worker));
    }
    if scheme == "http" && ["127.0.0.1", "[::1]", "localhost"].contains(&host.to_ascii_lowercase().as_str()) {
        let (port, path) = (uri.port_u16().unwrap_or(80), uri.path().to_owned());
        return Ok(Way::Loopback { port, path });
    }
    Ok(Way::Paste)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_people_paste() {
        let code = |text: &str| match pasted(text).unwrap() {
            (state, Consented::Code(code)) => (state, code.expose().to_owned()),
            other => panic!("{other:?}"),
        };
        let whole = (Some("s".to_owned()), "c".to_owned());
        for text in [
            "http://127.0.0.1:18923/callback?code=c&state=s",
            " https://example.com/callback?state=s&code=c#_ \n",
            "code=c&state=s",
        ] {
            assert_eq!(code(text), whole, "{text}");
        }
        let long = "AQ".repeat(20);
        assert_eq!(code(&format!("{long}#_")), (None, long));
        let wrong = |text: &str| pasted(text).unwrap_err().message;
        assert_eq!(wrong(""), "this is empty");
        assert_eq!(wrong("yes"), "this is too short for an address or a code");
        assert_eq!(
            wrong("https://x.com/home"),
            "this is an address without an answer in it"
        );
        assert_eq!(
            wrong("http://127.0.0.1:18923/callback?code=c"),
            "this address lacks its `state`: a part of it was not copied"
        );
    }

    #[test]
    fn the_redirect_address_decides_the_way() {
        let settings = Settings::default();
        let port = |address: &str| match way(address, &settings).map_err(|error| error.message) {
            Ok(Way::Loopback { port, path }) => format!("{port}{path}"),
            Ok(Way::Paste) => "paste".to_owned(),
            Ok(Way::Relay(_)) => "relay".to_owned(),
            Err(message) => message,
        };
        assert_eq!(port("http://127.0.0.1:18923/callback"), "18923/callback");
        assert_eq!(port("http://localhost/cb"), "80/cb");
        assert_eq!(port("https://example.com/callback"), "paste");
        assert_eq!(
            port("https://example.com/callback?a=b"),
            "the redirect address has a `?` or a `#`, which no platform allows"
        );
        assert_eq!(
            port("example.com"),
            "the redirect address does not begin with `http://` or `https://`"
        );
    }
}
