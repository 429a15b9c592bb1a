//! What a post is about and where it belongs, as options.

use clap::Args;
use serde_json::{Map, Value, json};

/// The labels of a post.
#[derive(Debug, Args)]
#[command(next_help_heading = "Labels")]
pub struct LabelArgs {
    /// In which format it is written, e.g. how-to
    #[arg(long, value_name = "WORD")]
    format: Option<String>,
    /// What it is about
    #[arg(long, value_name = "WORDS")]
    topic: Option<String>,
    /// Which of your pillars it belongs to
    #[arg(long, value_name = "WORD")]
    pillar: Option<String>,
    /// In which language it is, e.g. en, or both
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// The series it is an episode of
    #[arg(long, value_name = "ID")]
    series: Option<String>,
    /// The idea it is made from
    #[arg(long, value_name = "ID")]
    idea: Option<String>,
    /// The slot of a weekly plan that it fills, e.g. PLAN/3
    #[arg(long, value_name = "PLAN/N")]
    slot: Option<String>,
    /// The hub it belongs to: its admins approve it
    #[arg(long, value_name = "HUB")]
    hub: Option<String>,
}

impl LabelArgs {
    fn named(&self) -> [(&'static str, Option<&String>); 8] {
        [
            ("format", self.format.as_ref()),
            ("topic", self.topic.as_ref()),
            ("pillar", self.pillar.as_ref()),
            ("language", self.language.as_ref()),
            ("series_id", self.series.as_ref()),
            ("idea_id", self.idea.as_ref()),
            ("slot", self.slot.as_ref()),
            ("hub_id", self.hub.as_ref()),
        ]
    }

    /// Puts them into a body. An empty one takes the label away.
    pub fn put_into(&self, body: &mut Map<String, Value>) {
        for (name, given) in self.named() {
            if let Some(word) = given {
                let value = if word.is_empty() { Value::Null } else { json!(word) };
                body.insert(name.to_owned(), value);
            }
        }
    }
}
