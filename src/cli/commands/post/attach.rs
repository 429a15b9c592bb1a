//! What goes with a text: media, and what the platforms are to do beside.

use crate::cli::Context;
use crate::cli::client::Worker;
use crate::cli::commands::media::Wanted;
use crate::cli::error::{CliError, CliResult};
use crate::domain::media::MediaId;
use crate::domain::platform::Platform;
use clap::{ArgMatches, Args, FromArgMatches};
use serde_json::{Map, Value, json};

/// What goes with a text, as it is written.
#[derive(Debug, Args)]
struct Written {
    /// A file, an address or the id of a medium that goes with it; give it again for each further one
    #[arg(long, value_name = "FILE|URL|ID")]
    media: Vec<String>,
    /// What the medium before it shows, in words
    #[arg(long, value_name = "TEXT")]
    alt: Vec<String>,
    /// What the medium before it is called (documents on LinkedIn)
    #[arg(long, value_name = "TEXT")]
    title: Vec<String>,
    /// Which part of the thread the medium before it goes with; the first when left out
    #[arg(long, value_name = "N", value_parser = super::part)]
    media_part: Vec<u32>,
    /// What a platform is to do beside, e.g. x.reply_settings=following; a value may be JSON
    #[arg(long = "option", value_name = "PLATFORM.NAME=VALUE", value_parser = choice)]
    options: Vec<Choice>,
}

/// What goes with a text.
#[derive(Debug)]
pub struct AttachArgs {
    media: Vec<String>,
    about: Vec<About>,
    options: Vec<Choice>,
}

/// Something that is said of a medium.
#[derive(Debug)]
struct About {
    option: &'static str,
    field: &'static str,
    value: Value,
    /// How many `--media` stand before it.
    media_before: usize,
}

impl FromArgMatches for AttachArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let written = Written::from_arg_matches(matches)?;
        let places = |id: &str| matches.indices_of(id).into_iter().flatten().collect::<Vec<_>>();
        let media = places("media");
        let texts = |texts: Vec<String>| texts.into_iter().map(Value::from).collect::<Vec<_>>();
        let parts = written.media_part.into_iter().map(Value::from).collect();
        let said = [
            ("alt", "--alt", "alt_text", texts(written.alt)),
            ("title", "--title", "title", texts(written.title)),
            ("media_part", "--media-part", "part", parts),
        ];
        let about = said.into_iter().flat_map(|(id, option, field, values)| {
            let said = places(id).into_iter().zip(values);
            let media = &media;
            said.map(move |(at, value)| About {
                option,
                field,
                value,
                media_before: media.iter().filter(|place| **place < at).count(),
            })
        });
        Ok(Self {
            about: about.collect(),
            media: written.media,
            options: written.options,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for AttachArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        Written::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Written::augment_args_for_update(command)
    }
}

/// One thing that a platform is to do beside.
#[derive(Clone, Debug)]
struct Choice {
    platform: Platform,
    /// Fields within fields, the outermost first: one at least.
    names: Vec<String>,
    value: Value,
}

/// Reads `x.poll.duration_minutes=60`.
fn choice(text: &str) -> Result<Choice, String> {
    let (path, value) = text
        .split_once('=')
        .ok_or("expected PLATFORM.NAME=VALUE, such as `x.reply_settings=following`")?;
    let mut names = path.split('.').map(str::to_owned);
    let platform = names.next().unwrap_or_default();
    let platform = Platform::named(&platform)?;
    let names: Vec<String> = names.collect();
    if names.is_empty() || names.iter().any(String::is_empty) {
        return Err(format!(
            "expected a name behind `{platform}.`, as in `x.reply_settings=following`"
        ));
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok(Choice { platform, names, value })
}

impl AttachArgs {
    /// Whether nothing of it is given.
    pub fn is_empty(&self) -> bool {
        self.media.is_empty() && self.about.is_empty() && self.options.is_empty()
    }

    /// Puts it into a request's body. Files are sent for it, each looked at before the first is.
    ///
    /// # Errors
    /// A file that is none, what does not fit together, or what the worker says.
    pub async fn put_into(&self, body: &mut Map<String, Value>, context: &Context, worker: &Worker) -> CliResult {
        self.options.iter().try_for_each(|choice| put(body, choice))?;
        let mut media: Vec<_> = self.media.iter().map(|_| Map::new()).collect();
        self.about.iter().try_for_each(|about| tell(&mut media, about))?;
        let wanted = self.media.iter().map(|source| match MediaId::parse(source) {
            Some(_) => Ok(None),
            None => Wanted::open(source).map(Some),
        });
        let wanted = wanted.collect::<CliResult<Vec<_>>>()?;
        for ((source, wanted), medium) in self.media.iter().zip(wanted).zip(&mut media) {
            let id = match wanted {
                Some(wanted) => wanted.send(context, worker).await?.1.id.to_string(),
                None => source.clone(),
            };
            medium.insert("id".to_owned(), json!(id));
        }
        if !media.is_empty() {
            body.insert("media".to_owned(), json!(media));
        }
        Ok(())
    }
}

fn tell(media: &mut [Map<String, Value>], about: &About) -> CliResult {
    let option = about.option;
    let medium = about.media_before.checked_sub(1).and_then(|last| media.get_mut(last));
    let medium = medium.ok_or_else(|| {
        CliError::input(format!("`{option}` belongs to no medium"))
            .hint(format!("give `{option}` behind the `--media` that it is about"))
    })?;
    match medium.insert(about.field.to_owned(), about.value.clone()) {
        None => Ok(()),
        Some(_) => Err(CliError::input(format!("`{option}` is given twice for one medium"))
            .hint(format!("give `{option}` once behind each `--media`"))),
    }
}

fn put(body: &mut Map<String, Value>, choice: &Choice) -> CliResult {
    let path = || format!("{}.{}", choice.platform, choice.names.join("."));
    let clash = || {
        CliError::input(format!("`--option {}` says twice what it is", path()))
            .hint("give each name once, or a whole object as JSON")
    };
    let mut place = body.entry(choice.platform.name()).or_insert_with(|| json!({}));
    let (last, outer) = choice.names.split_last().ok_or_else(clash)?;
    for name in outer {
        let fields = place.as_object_mut().ok_or_else(clash)?;
        place = fields.entry(name.as_str()).or_insert_with(|| json!({}));
    }
    let fields = place.as_object_mut().ok_or_else(clash)?;
    match fields.insert(last.clone(), choice.value.clone()) {
        None => Ok(()),
        Some(_) => Err(clash()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{choice, put};
    use serde_json::{Map, Value, json};

    fn body(options: &[&str]) -> Result<Value, String> {
        let mut body = Map::new();
        for option in options {
            put(&mut body, &choice(option)?).map_err(|error| error.to_string())?;
        }
        Ok(Value::Object(body))
    }

    #[test]
    fn options_become_the_objects_of_a_request() {
        let options = [
            "x.reply_settings=following",
            "x.poll.options=[\"a=b\", \"c\"]",
            "x.poll.duration_minutes=60",
            "instagram.location_id=\"42\"",
            "tiktok.is_aigc=true",
            "linkedin.article.title=",
        ];
        let expected = json!({
            "x": {"reply_settings": "following", "poll": {"options": ["a=b", "c"], "duration_minutes": 60}},
            "instagram": {"location_id": "42"},
            "tiktok": {"is_aigc": true},
            "linkedin": {"article": {"title": ""}},
        });
        assert_eq!(body(&options), Ok(expected));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for wrong in ["x.poll", "poll=1", "x=1", "x.=1", "x..a=1", "=", "mastodon.a=1"] {
            assert!(choice(wrong).is_err(), "{wrong}");
        }
        for twice in [["x.a=1", "x.a=2"], ["x.a=1", "x.a.b=2"], ["x.a.b=1", "x.a=2"]] {
            assert!(body(&twice).unwrap_err().contains("says twice"), "{twice:?}");
        }
    }
}
