//! Rows of `series`. The episode that a published post counts is in `closing.rs`.

use crate::domain::id::{HubId, SeriesId, UserId};
use crate::domain::series::{Cadence, Tracking};
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::cursor::{Cursor, Page, page_statement, read_page};
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, millis_of, patched};
use crate::store::{Changed, Store};
use serde_json::{Map, Value};

macro_rules! series_columns {
    () => {
        concat!(
            "t.id, t.user_id, t.hub_id, t.name, t.description, t.platform, t.template, t.cadence, t.cadence_custom_days, \
             t.tracking_mode, t.tracking_format, t.episode_count, t.status, t.pillar, t.updated_at::text as version, ",
            millis_of!("last_published_at"),
            ", ",
            millis_of!("created_at")
        )
    };
}

/// A row of `series`; what another program wrote comes as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The series.
    pub id: SeriesId,
    /// Whose it is.
    pub user: UserId,
    /// The hub it belongs to, if it is not its user's alone.
    pub hub: Option<HubId>,
    /// Its name.
    pub name: String,
    /// More about it.
    pub description: Option<String>,
    /// Where it appears.
    pub platform: String,
    /// How its posts are made: the legacy program's object, as it is.
    pub template: Map<String, Value>,
    /// How often it appears, where that can be read.
    pub cadence: Option<Cadence>,
    /// How its posts are counted.
    pub tracking: Tracking,
    /// Posts that are out.
    pub episode_count: u32,
    /// `active`, `paused` or `retired`.
    pub status: String,
    /// The pillar it belongs to.
    pub pillar: Option<String>,
    /// When the last post went out.
    pub last_published_at: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
    /// Tells whether the row has changed.
    pub version: String,
}

impl Series {
    /// When its next post is due; never while it is paused or over.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let cadence = self.cadence.filter(|_| self.status == "active")?;
        Some(cadence.next_due(self.last_published_at, self.created_at))
    }

    /// What its next post is called, if it is called anything.
    #[must_use]
    pub fn next_label(&self) -> Option<String> {
        let season = self.template.get("season").and_then(Value::as_u64);
        let season = season.and_then(|season| u32::try_from(season).ok()).unwrap_or(1);
        self.tracking.label(self.episode_count.saturating_add(1), season)
    }
}

/// A series to be.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSeries {
    /// Its id, chosen by the caller before the first try.
    pub id: SeriesId,
    /// Whose it is.
    pub user: UserId,
    /// The hub it belongs to.
    pub hub: Option<HubId>,
    /// Its name.
    pub name: String,
    /// More about it.
    pub description: Option<String>,
    /// Where it appears.
    pub platform: String,
    /// How its posts are made.
    pub template: Map<String, Value>,
    /// How often it appears.
    pub cadence: Cadence,
    /// How its posts are counted.
    pub tracking: Tracking,
    /// The pillar it belongs to.
    pub pillar: Option<String>,
    /// The caller's now.
    pub now: Timestamp,
}

const GET: &str = concat!("select ", series_columns!(), " from series t where t.id = $1::uuid");

const INSERT: &str = "insert into series (id, user_id, hub_id, name, description, platform, template, cadence, \
      cadence_custom_days, tracking_mode, tracking_format, pillar, created_at, updated_at) \
    values ($1::uuid, $2, $3, $4, $5, $6, $7::jsonb, $8, $9::int, $10, $11, $12, $13::timestamptz, $13::timestamptz) \
    on conflict (id) do nothing returning id";

const EDIT: &str = concat!(
    "update series set ",
    patched!("name"),
    ", ",
    patched!("description"),
    ", ",
    patched!("platform"),
    ", ",
    patched!("cadence"),
    ", ",
    patched!("tracking_mode"),
    ", ",
    patched!("tracking_format"),
    ", ",
    patched!("status"),
    ", ",
    patched!("pillar"),
    ", template = case when jsonb_exists($3::jsonb, 'template') then $3::jsonb -> 'template' else template end, \
     cadence_custom_days = case when jsonb_exists($3::jsonb, 'cadence_custom_days') \
       then ($3::jsonb ->> 'cadence_custom_days')::int else cadence_custom_days end, updated_at = $4::timestamptz \
     where id = $1::uuid and ($2::text is null or updated_at::text = $2 or updated_at = $4::timestamptz) returning id"
);

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Begins a series; begun twice it is there once. `None` where the id is another's.
    ///
    /// # Errors
    /// [`StoreError`]; 42501 where the user does not belong to the hub.
    pub async fn series_create(&self, new: &NewSeries) -> Result<Option<Series>, StoreError> {
        let (mode, format) = match &new.tracking {
            Tracking::None => ("none", None),
            Tracking::AutoIncrement => ("auto-increment", None),
            Tracking::Custom(format) => ("custom", Some(format.clone())),
        };
        let insert = Statement::new(
            INSERT,
            [
                param(&new.id),
                param(&new.user),
                opt_param(new.hub.as_ref()),
                param(&new.name),
                new.description.clone(),
                param(&new.platform),
                param(Value::Object(new.template.clone())),
                param(new.cadence.name()),
                opt_param(new.cadence.custom_days()),
                param(mode),
                format,
                new.pillar.clone(),
                param(new.now),
            ],
        );
        let batch = [insert, Statement::new(GET, [param(&new.id)])];
        let results = self.write(Who::User(new.user.clone()), &batch).await?;
        results
            .last()
            .and_then(|rows| rows.first())
            .map(read_series)
            .transpose()
    }

    /// One series, the user's own or of a hub they belong to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn series_get(&self, user: &UserId, id: &SeriesId) -> Result<Option<Series>, StoreError> {
        let get = Statement::new(GET, [param(id)]);
        let rows = self.read_one(Who::User(user.clone()), get).await?;
        rows.first().map(read_series).transpose()
    }

    /// Series, newest first: those of the hub, or the user's own; of that status, or all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn series_list(
        &self,
        user: &UserId,
        hub: Option<&HubId>,
        status: Option<&str>,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Series>, StoreError> {
        let whose = match hub {
            Some(_) => "t.hub_id = $4 and ($5::text is null or t.status = $5)",
            None => "t.user_id = $4 and t.hub_id is null and ($5::text is null or t.status = $5)",
        };
        let whom = hub.map_or(user.as_str(), HubId::as_str);
        let parameters = [param(whom), opt_param(status)];
        let list = page_statement((series_columns!(), "series", whose), after, limit, parameters);
        let rows = self.read_one(Who::User(user.clone()), list).await?;
        read_page(Some(&rows), read_series)
    }

    /// Changes a series: the members of `patch` among `name`, `description`, `platform`, `cadence`, `cadence_custom_days`,
    /// `tracking_mode`, `tracking_format`, `status`, `pillar` and `template`. Refused where the row no longer has the
    /// `version` that was read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn series_edit(
        &self,
        user: &UserId,
        id: &SeriesId,
        version: Option<&str>,
        patch: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Changed<Series>, StoreError> {
        let patch = Value::Object(patch.clone());
        let batch = [
            Statement::new(EDIT, [param(id), opt_param(version), param(patch), param(now)]),
            Statement::new(GET, [param(id)]),
        ];
        let results = self.write(Who::User(user.clone()), &batch).await?;
        let [updated, row] = results.as_slice() else {
            return Err(StoreError::malformed("two results were expected"));
        };
        Ok(match row.first().map(read_series).transpose()? {
            None => Changed::Gone,
            Some(series) if updated.is_empty() => Changed::Refused(series),
            Some(series) => Changed::Done(series),
        })
    }
}

fn read_series(row: Row<'_>) -> Result<Series, StoreError> {
    let custom_days = row.opt_i64("cadence_custom_days")?;
    let custom_days = custom_days.and_then(|days| u32::try_from(days).ok());
    let format = row.opt_string("tracking_format")?;
    Ok(Series {
        id: SeriesId::from(row.text("id")?),
        user: UserId::from(row.text("user_id")?),
        hub: row.opt("hub_id")?.map(HubId::from),
        name: row.string("name")?,
        description: row.opt_string("description")?,
        platform: row.string("platform")?,
        template: row.object("template")?,
        cadence: Cadence::parse(row.text("cadence")?, custom_days),
        tracking: match (row.text("tracking_mode")?, format) {
            ("custom", Some(format)) => Tracking::Custom(format),
            ("auto-increment", _) => Tracking::AutoIncrement,
            _ => Tracking::None,
        },
        episode_count: row.count("episode_count")?,
        status: row.string("status")?,
        pillar: row.opt_string("pillar")?,
        last_published_at: row.opt_instant("last_published_at")?,
        created_at: row.instant("created_at")?,
        version: row.string("version")?,
    })
}
