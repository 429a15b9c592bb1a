//! `psn account test`: whether an account may do what psn needs, tried out. A live test goes the way of every post, through the
//! post's own object, so an answer that is lost is looked up and nothing goes out twice; what one run leaves, the next ends.

use crate::cli::Context;
use crate::cli::ambient::{SYSTEM, random_hex};
use crate::cli::client::{Worker, segment};
use crate::cli::commands::media::Wanted;
use crate::cli::commands::post::state_words;
use crate::cli::config::files::{read_file, write_private};
use crate::cli::confirm::confirmed;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::excerpt;
use crate::domain::id::PostId;
use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};
use crate::platforms;
use crate::ports::clock::Clock;
use crate::tasks::account_test::TOPIC;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub const EXAMPLES: &str = "\
Examples:
  psn account test x                          its token and what was granted; nothing is published
  psn account test x --live                   publishes a thread of two parts, reads it back, deletes it
  psn account test linkedin --live --yes      a post for your connections only, deleted at once
  psn account test tiktok --live --media clip.mp4
  psn account test instagram --live --media front.jpg

What a live test does and costs is said before it begins. Stopped half way, the same command ends it.";

/// Time between two looks at a post that goes out.
const INTERVAL: Duration = Duration::from_millis(700);
/// Time for the worker to try an account: a platform may take its time over a medium.
const TRIAL_DEADLINE: Millis = Millis(60_000);
/// Looks at a post that the platform does not show yet.
const READS_MAX: u32 = 4;

/// Which account, and how far.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The platform: x, linkedin, instagram or tiktok
    platform: String,
    /// The account, by its id or its name, where the platform has several
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Publish something small, read it back and delete it
    #[arg(long)]
    live: bool,
    /// A picture or video of yours, which Instagram and TikTok need
    #[arg(long, value_name = "FILE|URL", requires = "live")]
    media: Option<String>,
    /// Stop waiting after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// What one run leaves for the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    /// The key that the post is made with: made again with it, it is the same post.
    key: String,
    /// Tells this test's texts from those of others.
    code: String,
    /// The post's body, as it was sent.
    body: Value,
    /// The post, once it is known.
    post_id: Option<String>,
    begun_at: Timestamp,
}

struct Test<'a> {
    context: &'a Context,
    worker: Worker,
    platform: Platform,
    account: Value,
    timeout: Duration,
}

/// Runs the command.
///
/// # Errors
/// What the account may not do; what may be left of a test, and what to do about it.
pub async fn run(context: &Context, args: TestArgs) -> CliResult {
    let platform = super::platform_named(&args.platform)?;
    let worker = Worker::from_settings(&context.settings()?)?;
    let accounts = worker.list("/v1/accounts").await?;
    let account = named(&accounts, platform, args.account.as_deref())?.clone();
    let test = Test {
        context,
        worker,
        platform,
        account,
        timeout: Duration::from_secs(args.timeout),
    };
    if !args.live {
        let tried = test.token().await?;
        return test.said(&tried, None, &[]);
    }
    if matches!(platform, Platform::Instagram | Platform::TikTok) && args.media.is_none() && test.pending()?.is_none() {
        return Err(CliError::input(format!(
            "a live test of {} needs a picture or a video",
            platform.title()
        ))
        .hint("give one with `--media FILE`"));
    }
    test.token().await?;
    match platform {
        Platform::Instagram => test.prepared(args.media.as_deref().unwrap_or_default(), args.yes).await,
        Platform::X | Platform::LinkedIn | Platform::TikTok => test.live(args.media.as_deref(), args.yes).await,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// The account of that platform that a text names, or the only one.
fn named<'a>(accounts: &'a Value, platform: Platform, wanted: Option<&str>) -> CliResult<&'a Value> {
    let items = accounts["items"].as_array().map_or(&[][..], Vec::as_slice);
    let plain = |name: &str| name.trim_start_matches('@').to_lowercase();
    let is_it = |account: &&Value| {
        text(account, "platform") == platform.name()
            && wanted
                .is_none_or(|wanted| text(account, "id") == wanted || plain(text(account, "username")) == plain(wanted))
    };
    let found: Vec<&Value> = items.iter().filter(is_it).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let called = wanted.map_or_else(String::new, |wanted| format!(" called `{}`", excerpt(wanted, 60)));
            let message = format!("no {} account{called} is connected", platform.title());
            Err(CliError::input(message).hint(format!(
                "`psn account connect {platform}` connects one, `psn account list` shows them"
            )))
        }
        several => {
            let mut error = CliError::input(format!("{} {} accounts are connected", several.len(), platform.title()))
                .hint("name one with `--account`");
            error.details = several.iter().map(|account| who(account)).collect();
            Err(error)
        }
    }
}

fn who(account: &Value) -> String {
    match text(account, "username") {
        "" => text(account, "id").to_owned(),
        name => format!("{} ({})", excerpt(name, 60), text(account, "id")),
    }
}

/// What the account is asked to do, in a sentence each, with what is left of it.
const fn plan(platform: Platform) -> &'static str {
    match platform {
        Platform::X => "a thread of two parts, which everybody can see for some seconds; it is read back and deleted",
        Platform::LinkedIn => {
            "one post for your connections only, which they can see for some seconds; it is deleted at once"
        }
        Platform::Instagram => {
            "Instagram prepares a post of your medium, which nobody sees and which it forgets within a day; it is not published, \
             as Instagram lets no program delete a post"
        }
        Platform::TikTok => {
            "your medium as a post that only you can see, or as a draft in the inbox of your TikTok app; TikTok lets no program \
             delete it, so you do that by hand afterwards"
        }
    }
}

impl Test<'_> {
    fn id(&self) -> &str {
        text(&self.account, "id")
    }

    async fn ask(&self, body: &Value) -> CliResult<Value> {
        let path = format!("/v1/accounts/{}/test", segment(self.id()));
        // Tried twice it comes to the same.
        let answer = self
            .worker
            .post_slow(&path, body, TRIAL_DEADLINE)
            .await
            .map_err(|error| {
                let is_dead = error.problem.as_ref().is_some_and(|problem| problem["status"] == 409);
                match is_dead {
                    true => error.hint(format!("run `psn account connect {}`", self.platform)),
                    false => error,
                }
            })?;
        Ok(answer["tried"].clone())
    }

    /// Whose the token is, and what was granted.
    async fn token(&self) -> CliResult<Value> {
        let tried = self.ask(&json!({})).await?;
        let missing: Vec<&str> = tried["missing_scopes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let title = self.platform.title();
        let said = match text(&tried, "message") {
            "" => String::new(),
            message => format!(": {}", excerpt(message, 300)),
        };
        let hint = format!(
            "run `psn account connect {}` and grant all that is asked for",
            self.platform
        );
        if text(&tried, "token") == "refused" {
            return Err(CliError::outcome(format!(
                "{title} does not accept the token of {}{said}",
                who(&self.account)
            ))
            .hint(hint));
        }
        if !missing.is_empty() {
            let what = missing.join(" ");
            return Err(CliError::outcome(format!("{} was not granted {what}", who(&self.account))).hint(hint));
        }
        if text(&tried, "token") == "unknown" {
            self.context
                .printer
                .warn(format!("{title} does not say whose token it is{said}"));
        }
        Ok(tried)
    }

    fn pending_path(&self) -> PathBuf {
        self.context
            .state_folder()
            .join(format!("selftest-{}.json", segment(self.id())))
    }

    /// What an earlier run left.
    fn pending(&self) -> CliResult<Option<Pending>> {
        Ok(read_file(&self.pending_path())?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    fn keep(&self, pending: &Pending) -> CliResult {
        write_private(
            &self.pending_path(),
            &serde_json::to_string(pending).unwrap_or_default(),
        )
    }

    async fn medium(&self, source: Option<&str>) -> CliResult<Option<String>> {
        match source {
            None => Ok(None),
            Some(source) => {
                let (_, medium) = Wanted::open(source)?.send(self.context, &self.worker).await?;
                Ok(Some(medium.id.to_string()))
            }
        }
    }

    /// Instagram: all but publishing.
    async fn prepared(&self, source: &str, yes: bool) -> CliResult {
        self.context.printer.talk(format!(
            "this tries {} live: {}; it costs nothing",
            who(&self.account),
            plan(self.platform)
        ));
        confirmed(self.context, yes)?;
        let medium = self.medium(Some(source)).await?;
        let tried = self.ask(&json!({ "medium_id": medium })).await?;
        if tried["prepared"] != true {
            let why = excerpt(text(&tried, "message"), 300);
            return Err(
                CliError::outcome(format!("Instagram did not prepare a post: {why}")).hint(
                    "nothing was published; `PUBLIC_URL` has to be the address at which Instagram finds this worker",
                ),
            );
        }
        self.said(&tried, None, &[])
    }

    /// The body of the post.
    fn body(&self, code: &str, medium: Option<&str>) -> Value {
        let mut body = json!({
            "platform": self.platform, "account_id": self.id(), "publish": "now", "topic": TOPIC,
        });
        let granted = self.account["scopes"].as_array();
        let may_post = granted.is_none_or(|scopes| scopes.iter().any(|scope| scope == "video.publish"));
        match self.platform {
            Platform::X => {
                body["content"] = json!([
                    format!("psn tries whether it may publish here ({code}, 1 of 2). This goes away by itself."),
                    format!("And whether it may reply ({code}, 2 of 2)."),
                ]);
            }
            Platform::LinkedIn => {
                body["content"] = json!(format!(
                    "psn tries whether it may publish here, {code}. This goes away by itself."
                ));
                body["linkedin"] = json!({ "visibility": "CONNECTIONS" });
            }
            Platform::TikTok if may_post => {
                body["content"] = json!(format!("psn self-test {code}"));
                body["tiktok"] = json!({ "privacy_level": "SELF_ONLY" });
            }
            Platform::TikTok | Platform::Instagram => {
                body["content"] = json!("");
                body["tiktok"] = json!({ "mode": "inbox" });
            }
        }
        if let Some(medium) = medium {
            body["media"] = json!([{ "id": medium }]);
        }
        body
    }

    /// What it costs, in US dollars: publishing as the worker reckons it, reading back and deleting.
    async fn price(&self, body: &Value) -> CliResult<f64> {
        let checked = self.worker.post("/v1/validate", Some(body)).await?;
        let parts = checked["parts"].as_array().map_or(0, Vec::len);
        if checked["valid"] != true {
            let mut error = CliError::outcome("the test cannot be published as it is");
            let errors = checked["errors"].as_array().into_iter().flatten();
            let of_parts = checked["parts"]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|part| part["errors"].as_array().into_iter().flatten());
            error.details = errors.chain(of_parts).map(crate::cli::client::field_error).collect();
            return Err(error);
        }
        let publishing = checked["cost"]["amount"].as_f64().unwrap_or_default();
        let beside = platforms::prices(self.platform).map_or(0, |prices| {
            // Read twice: for itself, and before it is deleted.
            (2 * prices.read_micro_usd + prices.delete_micro_usd) * u64::try_from(parts).unwrap_or(0)
                + 2 * prices.read_account_micro_usd
        });
        let beside = u32::try_from(beside).unwrap_or(u32::MAX);
        Ok(publishing + f64::from(beside) / 1e6)
    }

    async fn live(&self, source: Option<&str>, yes: bool) -> CliResult {
        let printer = &self.context.printer;
        let pending = match self.pending()? {
            Some(pending) => {
                printer.talk(format!(
                    "an earlier test of {}, begun {}, has not ended: this ends it",
                    who(&self.account),
                    pending.begun_at
                ));
                pending
            }
            None => {
                let code = random_hex::<3>();
                let medium = self.medium(source).await?;
                let body = self.body(&code, medium.as_deref());
                let price = self.price(&body).await?;
                printer.talk(format!(
                    "this tries {} live: {}. It costs {}",
                    who(&self.account),
                    plan(self.platform),
                    if price > 0.0 {
                        format!("about {price:.3} USD")
                    } else {
                        "nothing".to_owned()
                    }
                ));
                confirmed(self.context, yes)?;
                let key = PostId::from_random(crate::ports::entropy::Entropy::bytes16(
                    &crate::cli::ambient::SystemEntropy,
                ))
                .0;
                let pending = Pending {
                    key,
                    code,
                    body,
                    post_id: None,
                    begun_at: SYSTEM.now(),
                };
                // Before anything leaves: whatever happens from here on, the next run knows of it.
                self.keep(&pending)?;
                pending
            }
        };
        let ended = self.go_on(pending).await;
        if let Err(error) = &ended
            && self.pending()?.is_some()
            && !error.printed
        {
            printer.warn(format!(
                "something of the test may be left on {}: run the same command again, which looks, goes on and takes it away",
                self.platform.title()
            ));
        }
        ended
    }

    async fn go_on(&self, mut pending: Pending) -> CliResult {
        let post_id = match pending.post_id.clone() {
            Some(post_id) => post_id,
            None => {
                let made = self.worker.post_keyed("/v1/posts", &pending.body, &pending.key).await;
                let made = match made {
                    // What is refused for good was not made.
                    Err(error) if error.problem.as_ref().is_some_and(|problem| problem["status"] == 422) => {
                        let _ = std::fs::remove_file(self.pending_path());
                        return Err(error);
                    }
                    made => made?,
                };
                let post_id = text(&made["posts"][0], "id").to_owned();
                pending.post_id = Some(post_id.clone());
                self.keep(&pending)?;
                post_id
            }
        };
        let post = self.rested(&post_id).await?;
        let is_out = |part: &&Value| part["state"] == "published";
        let out = post["parts"].as_array().into_iter().flatten().filter(is_out).count();
        let published = text(&post, "status") == "published";
        let in_doubt = text(&post, "sub_status") == "needs_review";
        let mut left = Vec::new();
        let mut tried = Value::Null;
        if out > 0 {
            tried = self.read_back(&post_id).await?;
            if matches!(self.platform, Platform::X | Platform::LinkedIn) {
                tried = self.deleted(&post_id).await?;
            } else {
                left = places(&post);
            }
        }
        if in_doubt {
            let mut error = CliError::outcome(format!("the test needs you: {}", state_words(&post))).hint(format!(
                "look on {}, say what became of it with `psn post resolve {post_id} …`, then run the same command again",
                self.platform.title()
            ));
            error.details = places(&post);
            return Err(error);
        }
        let _ = std::fs::remove_file(self.pending_path());
        if !published {
            return Err(CliError::outcome(format!(
                "{} may not publish: {}; nothing of the test is left",
                who(&self.account),
                state_words(&post)
            )));
        }
        self.said(&tried, Some(&post_id), &left)
    }

    /// Waits until the post rests.
    async fn rested(&self, post_id: &str) -> CliResult<Value> {
        let (began, printer) = (Instant::now(), &self.context.printer);
        loop {
            let post = self.worker.get(&format!("/v1/posts/{}", segment(post_id))).await?;
            if post["resting"] == true {
                printer.fleeting("");
                return Ok(post);
            }
            printer.fleeting(&state_words(&post));
            if began.elapsed() >= self.timeout {
                printer.fleeting("");
                return Err(CliError::outcome(format!(
                    "the test has not ended after {} s: {}",
                    began.elapsed().as_secs(),
                    state_words(&post)
                )));
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// A platform may show a post only some moments after it took it.
    async fn read_back(&self, post_id: &str) -> CliResult<Value> {
        let mut reads = 0;
        loop {
            let tried = self.ask(&json!({ "post_id": post_id })).await?;
            reads += 1;
            let is_absent = tried["parts"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|part| part["read_back"] == "absent");
            if !is_absent || reads >= READS_MAX {
                return Ok(tried);
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    async fn deleted(&self, post_id: &str) -> CliResult<Value> {
        let tried = self.ask(&json!({ "post_id": post_id, "delete": true })).await?;
        let stays = |part: &&Value| part["deleted"] != true;
        let left: Vec<&Value> = tried["parts"].as_array().into_iter().flatten().filter(stays).collect();
        if left.is_empty() {
            return Ok(tried);
        }
        let mut error = CliError::outcome(format!("{} of the test's parts could not be deleted", left.len()))
            .hint("run the same command again, which tries it anew, or delete them by hand");
        error.details = left
            .iter()
            .map(|part| {
                format!(
                    "part {}, {}: {}",
                    part["part"],
                    text(part, "remote_id"),
                    excerpt(text(part, "message"), 200)
                )
            })
            .collect();
        Err(error)
    }

    /// Says what came of it.
    fn said(&self, tried: &Value, post_id: Option<&str>, left: &[String]) -> CliResult {
        let printer = &self.context.printer;
        if printer.is_json() {
            printer.document(&json!({
                "account_id": self.id(), "platform": self.platform, "post_id": post_id, "tried": tried, "left": left,
            }));
            return Ok(());
        }
        let title = self.platform.title();
        printer.data(format!("{title}: {}", who(&self.account)));
        if text(tried, "token") == "accepted" {
            printer.data("  the token is accepted, and everything that psn needs was granted");
        }
        for part in tried["parts"].as_array().into_iter().flatten() {
            let read = match text(part, "read_back") {
                "same" => "published and read back",
                "other" => "published; read back it has another text",
                "absent" => "published, and not shown by the platform yet",
                _ => "published; the platform does not let psn read it",
            };
            let gone = if part["deleted"] == true { ", deleted" } else { "" };
            printer.data(format!("  part {}: {read}{gone}", part["part"]));
        }
        if tried["prepared"] == true {
            printer.data("  a post was prepared and not published; Instagram forgets it within a day");
        }
        for place in left {
            printer.warn(format!("delete by hand what is left: {place}"));
        }
        Ok(())
    }
}

/// Where the parts of a post are that are out or may be.
fn places(post: &Value) -> Vec<String> {
    let may_be_out = |part: &&Value| matches!(text(part, "state"), "published" | "unknown" | "sending");
    let parts = post["parts"].as_array().into_iter().flatten().filter(may_be_out);
    let place = |part: &Value| {
        let known = [text(part, "url"), text(part, "remote_id")]
            .into_iter()
            .find(|known| !known.is_empty());
        match known {
            Some(known) => format!("part {}: {known}", part["index"]),
            None => format!("part {}: {}", part["index"], excerpt(text(part, "text"), 80)),
        }
    };
    parts.map(place).collect()
}
