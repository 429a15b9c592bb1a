//! Public posts as they are read back: `/v2/video/list/` and `/v2/video/query/`.

use super::api::{Answer, Call};
use super::problems::{self, Problem};
use super::state::{Change, Publication, Source};
use crate::domain::time::Timestamp;
use serde_json::{Map, Value, json};

const FIELDS: [&str; 14] = [
    "id",
    "title",
    "video_description",
    "create_time",
    "duration",
    "share_url",
    "cover_image_url",
    "embed_link",
    "height",
    "width",
    "view_count",
    "like_count",
    "comment_count",
    "share_count",
];
const ROWS: u64 = 10;
const ROWS_MAX: u64 = 20;

fn fields<'a>(call: &'a Call<'_>) -> Result<Vec<&'a str>, Problem> {
    let asked: Vec<&str> = call.request.field("fields").unwrap_or_default().split(',').collect();
    match asked.iter().find(|field| !FIELDS.contains(field)) {
        Some(_) => Err(problems::invalid("The fields are missing or not known.")),
        None => Ok(asked),
    }
}

/// The creator's posts that everybody can see, newest first, with the time since when.
fn public<'a>(call: &'a Call<'_>) -> Vec<(&'a Publication, Timestamp)> {
    let own = call
        .state
        .own
        .publications
        .iter()
        .filter(|one| one.account == call.account);
    let mut rows: Vec<_> = own.filter_map(|one| Some((one, one.public_since(call.now)?))).collect();
    rows.sort_by_key(|(one, at)| std::cmp::Reverse((*at, one.post_id)));
    rows
}

pub(super) fn list(call: &Call<'_>) -> Answer {
    let fields = fields(call)?;
    let body = call.body()?;
    if let Some(name) = body
        .keys()
        .find(|name| !["cursor", "max_count"].contains(&name.as_str()))
    {
        return Err(problems::invalid(&format!("{name} is no field here")));
    }
    let count = body.get("max_count").map_or(Some(ROWS), Value::as_u64);
    let count = count.filter(|count| (1..=ROWS_MAX).contains(count));
    let count = count.ok_or_else(|| problems::invalid("max_count must be 1 to 20"))?;
    let cursor = body.get("cursor").and_then(Value::as_i64);
    let rows = public(call);
    let rows = rows
        .into_iter()
        .filter(|(_, at)| cursor.is_none_or(|cursor| at.0 < cursor));
    let rows: Vec<_> = rows.collect();
    let page = &rows[..rows.len().min(usize::try_from(count).unwrap_or(0))];
    let data = json!({
        "videos": page.iter().map(|(one, at)| row(call, one, *at, &fields)).collect::<Vec<_>>(),
        "cursor": page.last().map_or(0, |(_, at)| at.0),
        "has_more": rows.len() > page.len(),
    });
    Ok((data, Change::Read))
}

pub(super) fn query(call: &Call<'_>) -> Answer {
    let fields = fields(call)?;
    let body = call.body()?;
    let ids = body.get("filters").and_then(|filters| filters["video_ids"].as_array());
    let ids: Vec<&str> = ids.into_iter().flatten().filter_map(Value::as_str).collect();
    if ids.is_empty() || ids.len() > 20 {
        return Err(problems::invalid("filters.video_ids must be 1 to 20 ids"));
    }
    let rows = public(call).into_iter();
    let rows = rows.filter(|(one, _)| ids.contains(&one.post_id.to_string().as_str()));
    let videos: Vec<Value> = rows.map(|(one, at)| row(call, one, at, &fields)).collect();
    Ok((json!({ "videos": videos }), Change::Read))
}

fn row(call: &Call<'_>, one: &Publication, at: Timestamp, fields: &[&str]) -> Value {
    let id = one.post_id.to_string();
    let text = |name: &str| one.info.get(name).and_then(Value::as_str).unwrap_or_default();
    let account = call.state.accounts.get(&one.account);
    let username = account.map(|account| account.username.as_str()).unwrap_or_default();
    let is_photo = matches!(one.source, Source::Photos(_));
    let mut row = Map::new();
    for field in fields {
        let value = match *field {
            "id" => id.clone().into(),
            "title" => text("title").into(),
            "video_description" if is_photo => text("description").into(),
            "video_description" => text("title").into(),
            "create_time" => (at.0 / 1_000).into(),
            "duration" => if is_photo { 0 } else { 15 }.into(),
            "share_url" => {
                let folder = if is_photo { "photo" } else { "video" };
                format!("https://www.tiktok.com/@{username}/{folder}/{id}").into()
            }
            "cover_image_url" => format!("https://p16.tiktokcdn.com/{id}").into(),
            "embed_link" => format!("https://www.tiktok.com/player/v1/{id}").into(),
            "height" => 1_920.into(),
            "width" => 1_080.into(),
            counter => match call.settings.counters.get(counter) {
                Some(value) => (*value).into(),
                None => continue,
            },
        };
        row.insert((*field).to_owned(), value);
    }
    row.into()
}
