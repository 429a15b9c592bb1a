//! What a row of another program becomes: the journal that its post's object begins with. Nothing goes out that the legacy
//! program would not have published, and nothing whose rest it may have published already; where that cannot be told a
//! person is asked.

use crate::domain::content::Content;
use crate::domain::hash::whole_hash;
use crate::domain::id::{AccountId, RemoteId};
use crate::domain::limits;
use crate::domain::platform::Platform;
use crate::domain::publish::Plan;
use crate::domain::text::{self, SplitOptions};
use crate::domain::time::Timestamp;
use crate::platforms::{self, Rules, Wanted};
use crate::ports::objects::PostRequest;
use crate::store::posts::{PostRow, ThreadProgress};
use serde_json::{Value, json};

/// What a row asks for, as the legacy program would publish it.
struct Asked {
    parts: Vec<String>,
    /// What the platform is to do beside.
    options: Option<String>,
    /// What forbids to publish it: one sentence.
    problem: Option<String>,
}

/// The journal that a row of another program begins with; `None` for a platform that this version does not know.
#[must_use]
pub fn adoption(row: &PostRow, now: Timestamp) -> Option<PostRequest> {
    let platform = Platform::parse(&row.platform)?;
    let Asked {
        parts,
        options,
        problem,
    } = asked(platform, row);
    let progress = row.thread_progress();
    let mut confirmed = row.platform_post_ids.clone();
    if let Some(progress) = &progress {
        confirmed = progress.tweet_ids.iter().map(|id| RemoteId(id.clone())).collect();
    }
    let review = mismatch(row, &parts, progress.as_ref(), &confirmed).or(problem);
    // Whatever was being published when the row was last touched may have taken effect: look before sending.
    let in_doubt = row.status == "publishing" || progress.is_some() || row.status == "partially_posted";
    let doubt_since = (in_doubt && confirmed.len() < parts.len()).then(|| row.scheduled_at.unwrap_or(row.created_at));
    let (confirmed, doubt_since) = match review {
        // Where it may be a beginning, it is kept: so a person sees what is out, and it does not go out again.
        Some(_) if confirmed.len() < parts.len() && confirmed.iter().all(|id| !id.0.is_empty()) => (confirmed, None),
        Some(_) => (Vec::new(), None),
        None => (confirmed, doubt_since),
    };
    Some(PostRequest::Adopt {
        plan: Plan {
            post_id: row.id.clone(),
            user_id: row.user.clone(),
            platform,
            account_id: None,
            hash: whole_hash(&parts, &[], options.as_deref()),
            media: Vec::new(),
            options,
            parts,
            scheduled_at: Some(row.scheduled_at.unwrap_or(now)),
            group_id: None,
            labels: row.labels(),
            created_at: row.created_at,
        },
        content: row.content.clone(),
        account_id: row.psn_text("account_id").map(AccountId::from),
        confirmed,
        doubt_since,
        review,
    })
}

/// Threads are X's alone, where empty parts are passed over and a plain text that is too long is split; elsewhere the
/// parts are the paragraphs of one text.
fn asked(platform: Platform, row: &PostRow) -> Asked {
    let mut parts = row.parts();
    parts.retain(|part| !part.trim().is_empty());
    if parts.is_empty() {
        return Asked {
            parts: row.parts(),
            options: None,
            problem: Some("another program left it without a text: edit or remove the post".to_owned()),
        };
    }
    let joined = parts.join("\n\n");
    let content = match platform {
        Platform::X => match split(&parts) {
            Ok(split) => {
                parts = split;
                Content::Parts(parts.clone())
            }
            Err(problem) => {
                return Asked {
                    parts,
                    options: None,
                    problem: Some(problem),
                };
            }
        },
        Platform::LinkedIn | Platform::Instagram | Platform::TikTok => Content::Text(joined.clone()),
    };
    let options = options(platform, row);
    let planned = platforms::plan(
        platform,
        &Wanted {
            content: &content,
            numbering: false,
            media: &[],
            options: options.as_ref(),
            rules: Rules::default(),
        },
    );
    let problem = planned.plan.errors.first().map(|error| {
        let message = &error.message;
        format!("as another program left it, it cannot be published: {message}")
    });
    if platform != Platform::X {
        let texts = planned.plan.texts();
        parts = if texts.is_empty() { vec![joined] } else { texts };
    }
    Asked {
        parts,
        options: planned.options,
        problem,
    }
}

fn split(parts: &[String]) -> Result<Vec<String>, String> {
    let [one] = parts else { return Ok(parts.to_vec()) };
    if text::weighted_length(one) <= limits::WEIGHTED_LENGTH_MAX {
        return Ok(parts.to_vec());
    }
    let options = SplitOptions {
        limit: limits::WEIGHTED_LENGTH_MAX,
        numbering: false,
        parts_max: limits::PARTS_MAX,
    };
    text::split(one, options).map_err(|error| error.to_string())
}

/// What the keys of `metadata` ask of LinkedIn and TikTok; Instagram's format says no more than the media do.
fn options(platform: Platform, row: &PostRow) -> Option<Value> {
    let word = |key: &str| {
        let word = row.metadata.get(key).and_then(Value::as_str);
        word.filter(|word| !word.is_empty())
    };
    let mut options = json!({});
    if platform == Platform::TikTok {
        // A title is sent with photos alone.
        let is_photo = word("tiktokFormat").or_else(|| word("format")) == Some("photo");
        let title = word("tiktokTitle").filter(|_| is_photo)?;
        options["title"] = title.into();
        return Some(options);
    }
    if platform != Platform::LinkedIn {
        return None;
    }
    if let Some(visibility) = word("linkedinVisibility") {
        options["visibility"] = visibility.into();
    }
    let format = word("linkedinFormat").or_else(|| word("format"));
    let is_article = matches!(format, Some("article" | "linkedin-article"));
    if let Some(source) = word("articleUrl").filter(|_| is_article) {
        options["article"] = json!({"source": source, "title": word("articleTitle").unwrap_or_default()});
        if let Some(description) = word("articleDescription") {
            options["article"]["description"] = description.into();
        }
    }
    Some(options)
}

/// Why a row cannot be gone on with, if it cannot: what is out must be a beginning of what is to be published.
fn mismatch(
    row: &PostRow,
    parts: &[String],
    progress: Option<&ThreadProgress>,
    confirmed: &[RemoteId],
) -> Option<String> {
    let says = |what: &str| Some(format!("{what}: look at what is out, then edit or remove the post"));
    if !row.media_urls.is_empty() {
        return says("another program gave it media, which psn cannot take over");
    }
    if progress.is_none() && row.metadata.get("threadProgress").is_some_and(|kept| !kept.is_null()) {
        return says("another program's record of its progress cannot be read");
    }
    if let Some(progress) = progress {
        let total = usize::try_from(progress.total).unwrap_or(usize::MAX);
        if total != parts.len() {
            return says(&format!(
                "another program published {total} parts of it, but its text has {}",
                parts.len()
            ));
        }
        if usize::try_from(progress.posted).unwrap_or(usize::MAX) != progress.tweet_ids.len() {
            return says("another program's record of its progress contradicts itself");
        }
    }
    if confirmed.iter().any(|id| id.0.is_empty()) || confirmed.len() > parts.len() {
        return says("another program's record of its progress names no posts or too many");
    }
    let unsplit = row.parts().len() == 1 && parts.len() > 1 && !confirmed.is_empty();
    if unsplit {
        return says("another program split its text in its own way and stopped half-way");
    }
    None
}
