//! `psn notify set`: a destination, or how you want to be told. Secrets come from a file, stdin or a variable: what stands in
//! the arguments of a program can be read by others on this machine, and stays in the history of the shell.

use super::{PATH, identified, line, path_of, text, whole};
use crate::cli::Context;
use crate::cli::ambient::SystemEntropy;
use crate::cli::client::Worker;
use crate::cli::commands::post::read_text;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::excerpt;
use crate::domain::near::meant;
use crate::ports::entropy::Entropy;
use crate::tasks::notify::channel::fresh_webhook_secret;
use crate::tasks::notify::target::KINDS;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

pub(super) const EXAMPLES: &str = "\
Destinations:
  psn notify set whatsapp --phone +4915112345678
  psn notify set slack    --secret-env SLACK_WEBHOOK_URL
  psn notify set discord  --secret-file discord-webhook.txt
  psn notify set telegram --chat 123456789 --secret-env TELEGRAM_BOT_TOKEN
  psn notify set ntfy     --url https://ntfy.sh/my-topic
  psn notify set email    --address ada@example.com
  psn notify set webhook  --url https://example.com/psn
  psn notify set --id 3f2a9c1e --off

How you want to be told:
  psn notify set --quiet 22:00-08:00 --digest daily --digest-time 08:00
  psn notify set --push off

`--secret-file -` reads the secret from stdin.";

/// What is to be set.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// A service: whatsapp, webhook, slack, discord, telegram, ntfy or email; none to say how you want to be told
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    /// Change this destination instead of adding one: its id, or its beginning
    #[arg(long, value_name = "ID", help_heading = "A destination")]
    id: Option<String>,
    /// What you call it
    #[arg(long, value_name = "NAME", help_heading = "A destination")]
    label: Option<String>,
    /// Your telephone's number with its country (whatsapp)
    #[arg(long, value_name = "NUMBER", help_heading = "A destination")]
    phone: Option<String>,
    /// The way to WhatsApp where there are two: waha or twilio
    #[arg(long, value_name = "NAME", help_heading = "A destination")]
    provider: Option<String>,
    /// The address (webhook, ntfy)
    #[arg(long, value_name = "URL", help_heading = "A destination")]
    url: Option<String>,
    /// The chat's number, or @ and the channel's name (telegram)
    #[arg(
        long,
        value_name = "CHAT",
        allow_hyphen_values = true,
        help_heading = "A destination"
    )]
    chat: Option<String>,
    /// The address (email)
    #[arg(long, value_name = "ADDRESS", help_heading = "A destination")]
    address: Option<String>,
    /// A file with the secret: the webhook's address (slack, discord), the bot's token (telegram), the topic's token (ntfy),
    /// the key (webhook); `-` is stdin
    #[arg(long, value_name = "FILE", help_heading = "A destination")]
    secret_file: Option<String>,
    /// A variable of the environment that holds the secret
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "secret_file",
        help_heading = "A destination"
    )]
    secret_env: Option<String>,
    /// Use it
    #[arg(long, conflicts_with = "off", help_heading = "A destination")]
    on: bool,
    /// Keep it, but send nothing there
    #[arg(long, help_heading = "A destination")]
    off: bool,
    /// Whether urgent messages that can wait are sent at once
    #[arg(long, value_enum, value_name = "on|off", help_heading = "How you want to be told")]
    push: Option<Switch>,
    /// How many of those a day at most
    #[arg(long, value_name = "N", help_heading = "How you want to be told")]
    max_push: Option<u32>,
    /// How often everything else comes: daily, twice_daily, weekly or off
    #[arg(long, value_name = "HOW", help_heading = "How you want to be told")]
    digest: Option<String>,
    /// At which time of the day
    #[arg(long, value_name = "HH:MM", help_heading = "How you want to be told")]
    digest_time: Option<String>,
    /// When nobody is to disturb you, such as 22:00-08:00, or none
    #[arg(long, value_name = "FROM-TO", help_heading = "How you want to be told")]
    quiet: Option<String>,
    /// The zone you live in, by its IANA name
    #[arg(long, value_name = "ZONE", help_heading = "How you want to be told")]
    time_zone: Option<String>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

pub(super) async fn run(context: &Context, worker: &Worker, args: SetArgs) -> CliResult {
    let wishes = wishes(&args)?;
    if args.kind.is_none() && args.id.is_none() {
        if let Some(option) = args.of_destination() {
            return Err(
                CliError::input(format!("`{option}` is about a destination, but which kind is not said"))
                    .hint(format!("name one: `psn notify set {} …`", KINDS.join("|"))),
            );
        }
        if wishes.is_empty() {
            return Err(CliError::input("nothing is to be set").hint(
                "`psn notify set slack --secret-env SLACK_WEBHOOK_URL` adds a destination; `psn notify set --help` has all",
            ));
        }
        let overview = worker.patch(PATH, &Value::Object(wishes)).await?;
        whole(&context.printer, &overview);
        return Ok(());
    }
    if !wishes.is_empty() {
        return Err(
            CliError::input("a destination and how you want to be told are two things")
                .hint("say how you want to be told in a command of its own: `psn notify set --quiet 22:00-08:00`"),
        );
    }
    destination(context, worker, args).await
}

/// What is said about being told, as the API has it.
fn wishes(args: &SetArgs) -> CliResult<Map<String, Value>> {
    let mut wishes = Map::new();
    let mut set = |name: &str, value: Value| wishes.insert(name.to_owned(), value);
    if let Some(push) = args.push {
        set("push_enabled", json!(push == Switch::On));
    }
    if let Some(most) = args.max_push {
        set("max_push_per_day", json!(most));
    }
    match args.digest.as_deref() {
        None => {}
        Some("off") => {
            set("digest_enabled", json!(false));
        }
        Some(how) => {
            set("digest_enabled", json!(true));
            set("digest_frequency", json!(how));
        }
    }
    if let Some(time) = &args.digest_time {
        set("digest_time", json!(time));
    }
    match args.quiet.as_deref() {
        None => {}
        Some("none") => {
            set("quiet_hours", Value::Null);
        }
        Some(hours) => {
            let (start, end) = hours.split_once('-').ok_or_else(|| {
                CliError::input(format!("`{hours}` are no quiet hours"))
                    .hint("give them as `--quiet 22:00-08:00`, or `--quiet none`")
            })?;
            set("quiet_hours", json!({ "start": start.trim(), "end": end.trim() }));
        }
    }
    if let Some(zone) = &args.time_zone {
        set("time_zone", json!(zone));
    }
    Ok(wishes)
}

impl SetArgs {
    /// An option that only a destination has.
    fn of_destination(&self) -> Option<&'static str> {
        let given = [
            (self.label.is_some(), "--label"),
            (self.phone.is_some(), "--phone"),
            (self.provider.is_some(), "--provider"),
            (self.url.is_some(), "--url"),
            (self.chat.is_some(), "--chat"),
            (self.address.is_some(), "--address"),
            (self.secret_file.is_some(), "--secret-file"),
            (self.secret_env.is_some(), "--secret-env"),
            (self.on, "--on"),
            (self.off, "--off"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, name)| name)
    }

    /// The secret, from where it is said to be.
    fn secret(&self, context: &Context) -> CliResult<Option<String>> {
        let (secret, from) = match (&self.secret_env, &self.secret_file) {
            (Some(name), _) => {
                let secret = context.environment.get(name).cloned();
                (secret.unwrap_or_default(), format!("the variable `{name}`"))
            }
            (None, Some(file)) if file == "-" => (read_text("-")?, "stdin".to_owned()),
            (None, Some(file)) => (read_text(file)?, format!("the file `{file}`")),
            (None, None) => return Ok(None),
        };
        let secret = secret.trim().to_owned();
        if secret.is_empty() {
            return Err(CliError::input(format!("{from} holds no secret")).hint("put it there, then run this again"));
        }
        Ok(Some(secret))
    }
}

/// What a kind of service takes: the field that its secret is, and what to do where the secret is missing.
fn secret_of(kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        "slack" => (
            "url",
            "make an incoming webhook (api.slack.com/apps, Incoming Webhooks), then `psn notify set slack --secret-env \
             SLACK_WEBHOOK_URL` or `--secret-file FILE` with its address",
        ),
        "discord" => (
            "url",
            "make a webhook (channel settings, Integrations), then `psn notify set discord --secret-file FILE` with its address",
        ),
        "telegram" => (
            "bot_token",
            "make a bot with @BotFather and write to it once, then `psn notify set telegram --chat NUMBER --secret-env \
             TELEGRAM_BOT_TOKEN`",
        ),
        "ntfy" => ("token", "give it with `--secret-env NTFY_TOKEN`"),
        "webhook" => (
            "secret",
            "give it with `--secret-env WEBHOOK_SECRET`, or leave it out to get a fresh one",
        ),
        _ => return None,
    })
}

async fn destination(context: &Context, worker: &Worker, args: SetArgs) -> CliResult {
    let printer = &context.printer;
    let mut kind = args.kind.clone();
    let mut id = None;
    if let Some(beginning) = &args.id {
        let overview = worker.get(PATH).await?;
        let known = identified(&overview["destinations"], beginning, "destination")?;
        let of_id = overview["destinations"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| text(one, "id") == known);
        let its = of_id.map_or("", |one| text(one, "kind")).to_owned();
        if let Some(named) = kind.as_ref().filter(|named| **named != its) {
            return Err(CliError::input(format!("that destination is `{its}`, not `{named}`"))
                .hint("a destination keeps its kind: add another one, and remove this"));
        }
        kind = Some(its);
        id = Some(known);
    }
    let kind = kind.unwrap_or_default();
    if !KINDS.contains(&kind.as_str()) {
        let guess = meant(&kind, KINDS).map_or_else(String::new, |guess| format!("; did you mean `{guess}`?"));
        return Err(
            CliError::input(format!("`{}` is no kind of service", excerpt(&kind, 40)))
                .hint(format!("expected one of {}{guess}", KINDS.join(", "))),
        );
    }
    let (mut body, fresh) = body(context, &args, &kind, id.is_none())?;
    let answer = match &id {
        Some(id) => {
            if body.is_empty() {
                return Err(CliError::input("nothing is to be changed")
                    .hint("give `--label`, `--on`, `--off` or an option of the service"));
            }
            worker.patch(&path_of(id), &Value::Object(body)).await?
        }
        None => {
            body.insert("kind".to_owned(), json!(kind));
            worker
                .post(&format!("{PATH}/destinations"), Some(&Value::Object(body)))
                .await?
        }
    };
    if printer.is_json() {
        let mut document = answer;
        if let Some(fresh) = fresh {
            document["secret"] = json!(fresh);
        }
        printer.document(&document);
        return Ok(());
    }
    printer.data(line(printer, &answer));
    if let Some(fresh) = fresh {
        printer.talk("the key that its messages are signed with (Standard Webhooks); it is shown this once:");
        printer.data(fresh);
    }
    let id = text(&answer, "id").get(..8).unwrap_or_default();
    printer.talk(format!("`psn notify test {id}` sends a message there"));
    Ok(())
}

/// The body of the request, and the key of a webhook where a fresh one was made.
fn body(
    context: &Context,
    args: &SetArgs,
    kind: &str,
    is_new: bool,
) -> CliResult<(Map<String, Value>, Option<String>)> {
    let mut body = Map::new();
    let options = [
        ("label", args.label.clone()),
        ("phone", args.phone.clone()),
        ("provider", args.provider.clone()),
        ("url", args.url.clone()),
        ("chat_id", args.chat.clone()),
        ("address", args.address.clone()),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
    if args.on || args.off {
        body.insert("enabled".to_owned(), json!(args.on));
    }
    if matches!(kind, "slack" | "discord") && args.url.is_some() {
        return Err(CliError::input(format!(
            "the address of a webhook of {kind} is a secret, and does not belong in a command"
        ))
        .hint(secret_of(kind).map_or("", |(_, hint)| hint)));
    }
    let mut fresh = None;
    match (args.secret(context)?, secret_of(kind)) {
        (Some(secret), Some((field, _))) => {
            body.insert(field.to_owned(), json!(secret));
        }
        (Some(_), None) => {
            return Err(CliError::input(format!("`{kind}` takes no secret"))
                .hint("leave `--secret-file` and `--secret-env` out"));
        }
        (None, Some((_, hint))) if is_new && matches!(kind, "slack" | "discord" | "telegram") => {
            return Err(CliError::input(format!("the secret of {kind} is missing")).hint(hint));
        }
        (None, Some((field, _))) if is_new && kind == "webhook" => {
            let mut random = [0; 32];
            SystemEntropy.fill(&mut random);
            let secret = fresh_webhook_secret(&random).expose().to_owned();
            body.insert(field.to_owned(), json!(secret));
            fresh = Some(secret);
        }
        _ => {}
    }
    Ok((body, fresh))
}
