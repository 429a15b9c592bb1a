//! Creating, editing and validating posts.

use super::attach::AttachArgs;
use super::labels::LabelArgs;
use super::{path, posts_of, render, time};
use crate::cli::Context;
use crate::cli::ambient::SYSTEM;
use crate::cli::client::{Worker, field_error};
use crate::cli::commands::pause;
use crate::cli::error::{CliError, CliResult, file_reason};
use crate::cli::printer::{Printer, Style, excerpt, wrapped};
use crate::domain::limits::BODY_BYTES_MAX;
use crate::ports::clock::Clock;
use clap::Args;
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value, json};
use std::io::{ErrorKind, Read};

const EXAMPLES: &str = "\
Examples:
  psn post create --text \"Hello\" --at \"tomorrow 9:00\"
  psn post create --platform tiktok --text \"How it is made\" --media clip.mp4 \\
      --option tiktok.privacy_level=PUBLIC_TO_EVERYONE --now";

/// Where the content comes from.
#[derive(Debug, Args)]
#[group(id = "content", multiple = false)]
pub struct ContentArgs {
    /// One text; split into a thread when it is too long
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// A file with one text (`-` is stdin)
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// One part as it is; give it again for each further part
    #[arg(long = "part", value_name = "TEXT")]
    parts: Vec<String>,
}

/// What a post is made of.
#[derive(Debug, Args)]
pub struct BodyArgs {
    #[command(flatten)]
    content: ContentArgs,
    #[command(flatten)]
    attached: AttachArgs,
    /// Where it goes, e.g. linkedin; give it again for each further platform
    #[arg(long = "platform", value_name = "NAME", default_value = "x", value_delimiter = ',')]
    platforms: Vec<String>,
    /// When it goes out, e.g. "tomorrow 9:00", "in 2 hours", next_free_slot, 2026-12-01T09:00:00+01:00
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "now")]
    at: Option<String>,
    /// The zone that the words are meant in, instead of yours
    #[arg(long, value_name = "ZONE", requires = "at")]
    time_zone: Option<String>,
    /// Publish it now
    #[arg(long)]
    now: bool,
    /// End each part of a thread with ` 1/7`, ` 2/7`, …
    #[arg(long)]
    numbering: bool,
    /// The account, where the platform has several: its id or its name
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    #[command(flatten)]
    labels: LabelArgs,
    /// What people write in the place of `--text`; refused with what to do
    #[arg(value_name = "TEXT", hide = true)]
    loose: Vec<String>,
}

/// A new post.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CreateArgs {
    #[command(flatten)]
    body: BodyArgs,
}

/// Shown behind the help of `validate`.
pub const VALIDATE_EXAMPLES: &str = "\
Examples:
  psn post validate thread.txt
  psn post validate --text \"Hello\" --platform linkedin
  psn post validate --offline --part \"one\" --part \"two\"

FILE holds one text; `-` is stdin. Without a worker the text is looked at on this machine.";

/// Columns of a text that is shown whole.
const TEXT_WIDTH: usize = 70;

/// A post to check.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    body: BodyArgs,
    /// Ask no worker: look at the text on this machine
    #[arg(long)]
    offline: bool,
}

/// What changes in a post.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// The post's id
    id: String,
    #[command(flatten)]
    content: ContentArgs,
    #[command(flatten)]
    attached: AttachArgs,
    /// Its new time, e.g. "tomorrow 9:00"
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<String>,
    /// The zone that the words are meant in, instead of yours
    #[arg(long, value_name = "ZONE", requires = "at")]
    time_zone: Option<String>,
    /// Whether each part of a thread ends with ` 1/7`, ` 2/7`, …
    #[arg(long, value_name = "true|false")]
    numbering: Option<bool>,
    #[command(flatten)]
    labels: LabelArgs,
}

impl ContentArgs {
    fn is_given(&self) -> bool {
        self.text.is_some() || self.file.is_some() || !self.parts.is_empty()
    }

    fn read(&self) -> CliResult<Option<Value>> {
        if let Some(text) = &self.text {
            return Ok(Some(json!(text)));
        }
        if let Some(file) = &self.file {
            let text = read_text(file)?;
            if text.trim().is_empty() {
                return Err(CliError::input(format!("{} is empty", name_of(file)))
                    .hint("write the text into it, or give it with `--text`"));
            }
            return Ok(Some(json!(text)));
        }
        Ok((!self.parts.is_empty()).then(|| json!(self.parts)))
    }
}

/// A file as it is called in a sentence.
fn name_of(file: &str) -> String {
    match file {
        "-" => "standard input".to_owned(),
        file => format!("`{}`", excerpt(file, 120)),
    }
}

/// Reads a text from a file or, named `-`, from stdin.
///
/// # Errors
/// Names the file and the reason.
pub fn read_text(file: &str) -> CliResult<String> {
    let cannot = |reason: &str| CliError::input(format!("{} cannot be read: {reason}", name_of(file)));
    let mut bytes = Vec::new();
    let limit = BODY_BYTES_MAX as u64 + 1;
    let read = if file == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::IsADirectory => "name a file in it",
            _ => "name a file that you may read, with the folder where it lies; `-` is standard input",
        };
        cannot(&file_reason(&error)).hint(hint)
    })?;
    if bytes.len() > BODY_BYTES_MAX {
        return Err(cannot(&format!(
            "it is longer than {} KiB, the most that a request may have",
            BODY_BYTES_MAX / 1024
        ))
        .hint("no platform takes that much: shorten it"));
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        cannot("it is no text in UTF-8").hint("save a text as UTF-8; pictures and videos go with one by `--media`")
    })?;
    Ok(text
        .strip_prefix('\u{feff}')
        .unwrap_or(&text)
        .trim_end_matches(['\r', '\n'])
        .to_owned())
}

impl BodyArgs {
    /// The body of a request; files that go with it are sent first.
    async fn to_json(&self, context: &Context, worker: &Worker) -> CliResult<Value> {
        let mut body = self.alone()?;
        if let Some(account) = pause::account(worker, self.account.as_deref()).await? {
            body.insert("account_id".to_owned(), json!(account));
        }
        self.attached.put_into(&mut body, context, worker).await?;
        Ok(Value::Object(body))
    }

    /// The body of a request without what goes with the text.
    fn alone(&self) -> CliResult<Map<String, Value>> {
        if let Some(word) = self.loose.first() {
            return Err(CliError::input(format!("`{}` belongs to no option", excerpt(word, 40)))
                .hint("the text follows `--text`, in quotes, or `--file FILE` reads it from a file"));
        }
        let content = self.content.read()?.ok_or_else(|| {
            CliError::input("there is no content: a post has a text")
                .hint("give `--text TEXT`, `--file FILE` or `--part TEXT` several times")
        })?;
        let mut body = Map::new();
        match self.platforms.as_slice() {
            [platform] => body.insert("platform".to_owned(), json!(platform)),
            platforms => body.insert("platforms".to_owned(), json!(platforms)),
        };
        body.insert("content".to_owned(), content);
        if let Some(at) = &self.at {
            body.insert("scheduled_at".to_owned(), json!(at));
        }
        if let Some(zone) = &self.time_zone {
            body.insert("time_zone".to_owned(), json!(zone));
        }
        if self.now {
            body.insert("publish".to_owned(), json!("now"));
        }
        if self.numbering {
            body.insert("numbering".to_owned(), json!(true));
        }
        self.labels.put_into(&mut body);
        Ok(body)
    }
}

/// Creates the post, one per platform.
pub async fn create(context: &Context, args: CreateArgs) -> CliResult {
    let worker = Worker::from_settings(&context.settings()?)?;
    let body = args.body.to_json(context, &worker).await?;
    let answer = worker.post("/v1/posts", Some(&body)).await?;
    if context.printer.is_json() {
        context.printer.document(&answer);
        return Ok(());
    }
    for post in posts_of(&answer)? {
        render::post(context, post)?;
    }
    render::warnings(&context.printer, &answer);
    Ok(())
}

/// Changes the post.
pub async fn edit(context: &Context, args: EditArgs) -> CliResult {
    let mut body = Map::new();
    if let Some(content) = args.content.read()? {
        body.insert("content".to_owned(), content);
    }
    if let Some(at) = &args.at {
        body.insert("scheduled_at".to_owned(), json!(at));
    }
    if let Some(zone) = &args.time_zone {
        body.insert("time_zone".to_owned(), json!(zone));
    }
    if let Some(numbering) = args.numbering {
        body.insert("numbering".to_owned(), json!(numbering));
    }
    args.labels.put_into(&mut body);
    if body.is_empty() && args.attached.is_empty() {
        return Err(CliError::input("nothing is to be changed")
            .hint("give `--text`, `--file`, `--part`, `--media`, `--option`, `--at`, `--numbering` or a label"));
    }
    let worker = Worker::from_settings(&context.settings()?)?;
    args.attached.put_into(&mut body, context, &worker).await?;
    let post = worker.patch(&path(&args.id)?, &Value::Object(body)).await?;
    render::post(context, &post)
}

/// Shows the post as it will look; ends well only if it could be published. Where no worker answers, the text is looked at
/// here.
pub async fn validate(context: &Context, mut args: ValidateArgs) -> CliResult {
    let body = &mut args.body;
    if let ([file], false) = (body.loose.as_slice(), body.content.is_given()) {
        body.content.file = Some(file.clone());
        body.loose.clear();
    }
    let worker = Worker::from_settings(&context.settings()?);
    let report = match &worker {
        Ok(worker) if !args.offline => {
            let body = args.body.to_json(context, worker).await?;
            match worker.post("/v1/validate", Some(&body)).await {
                // Only where nobody is there at all: what a worker says counts.
                Err(error) if error.problem.is_none() && args.body.attached.is_empty() => {
                    alone(context, &body, Some(&error))?
                }
                report => report?,
            }
        }
        Ok(_) => alone(context, &Value::Object(args.body.alone()?), None)?,
        Err(error) => alone(context, &Value::Object(args.body.alone()?), Some(error))?,
    };
    let printer = &context.printer;
    let valid = report.get("valid") == Some(&Value::Bool(true));
    let parts = report
        .get("parts")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    if printer.is_json() {
        printer.document(&report);
    } else {
        parts.iter().for_each(|part| validated_part(printer, part, parts.len()));
        render::scheduled_as(printer, &report);
        render::cost(printer, &report);
        render::warnings(printer, &report);
    }
    if valid {
        return Ok(());
    }
    let list = |value: &Value| {
        value
            .get("errors")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let mut details: Vec<String> = list(&report).iter().map(field_error).collect();
    for part in parts {
        for line in list(part).iter().map(field_error) {
            if !details.contains(&line) {
                details.push(line);
            }
        }
    }
    let mut error = CliError::outcome("this cannot be published as it is");
    error.details = details;
    error.printed = printer.is_json();
    Err(error)
}

/// Looks at a text on this machine, and says what was not looked at.
fn alone(context: &Context, body: &Value, why: Option<&CliError>) -> CliResult<Value> {
    let kind = HeaderValue::from_static("application/json");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
    let bytes = body.to_string().into();
    let report = crate::api::validate::alone(&headers, &bytes, SYSTEM.now());
    let report = report.map_err(|_| CliError::input("this cannot be read as a post"))?;
    let because = why.map_or_else(String::new, |error| format!(" ({error})"));
    context.printer.warn(format!(
        "no worker was asked{because}: this is the text alone, without what only it knows (similar posts, media, long posts)"
    ));
    Ok(report)
}

/// A part as it will look: its length, and the whole of its text.
fn validated_part(printer: &Printer, part: &Value, parts_total: usize) {
    let number = |name: &str| part.get(name).and_then(Value::as_u64).unwrap_or_default();
    let wrong = part
        .get("errors")
        .and_then(Value::as_array)
        .is_some_and(|errors| !errors.is_empty());
    let count = format!("{:>3}/{}", number("weighted_length"), number("limit"));
    printer.data(format!(
        "{:>2}/{parts_total}  {}",
        number("index"),
        printer.paint(if wrong { Style::Bad } else { Style::Good }, &count),
    ));
    let text = part.get("text").and_then(Value::as_str).unwrap_or_default();
    for line in wrapped(text, TEXT_WIDTH) {
        let bar = printer.paint(Style::Faint, "│");
        printer.data(format!("      {bar} {line}").trim_end());
    }
    render::warnings(printer, part);
}
