//! Cloudflare's API, as far as wrangler does not do it: what there is in an account, its workers.dev name, its buckets.

use crate::cli::config::Variables;
use crate::cli::error::{CliError, CliResult};
use crate::cli::management::{Management, Which};
use crate::domain::time::Millis;
use crate::ports::http::HttpResponse;
use http::Method;
use serde_json::{Value, json};

/// The variable that names another address than the real one; wrangler reads it too.
pub const BASE_URL: &str = "CLOUDFLARE_API_BASE_URL";

const REAL_BASE: &str = "https://api.cloudflare.com/client/v4";

const DEADLINE: Millis = Millis(30_000);

/// Worker not found.
const NO_WORKER: i64 = 10007;
/// Nobody has chosen a workers.dev name for the account.
const NO_SUBDOMAIN: i64 = 10007;
/// Version not found.
const NO_VERSION: i64 = 10212;
/// Bucket not found.
const NO_BUCKET: i64 = 10006;
/// Nobody has switched R2 on for the account.
const R2_OFF: i64 = 10042;
/// The bucket holds something.
const BUCKET_NOT_EMPTY: i64 = 10008;
/// The name of workers.dev belongs to somebody else.
const SUBDOMAIN_TAKEN: i64 = 10031;

/// The API with a token.
#[derive(Clone, Debug)]
pub struct Cloudflare(Management);

/// Why a call did not do what it should. Holds no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// Nobody answered, or not as Cloudflare does.
    Away(String),
    /// Cloudflare refused.
    Refused {
        /// The status code.
        status: u16,
        /// The first error's number.
        code: i64,
        /// Its text.
        message: String,
    },
}

/// An account that a token sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName {
    /// Its id: 32 hex digits.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// A worker as its account has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The classes of its objects, by binding.
    pub classes: Vec<String>,
    /// The bucket of its binding `MEDIA`.
    pub bucket: Option<String>,
    /// Names of its secrets.
    pub secrets: Vec<String>,
    /// Names of its variables.
    pub variables: Vec<String>,
}

impl Script {
    /// Whether it is a psn worker, or the empty one that secrets were given to before the first upload.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        let has = |name: &str| self.classes.iter().any(|class| class == name);
        has("Post") && has("Index") || self.is_draft()
    }

    /// Whether it has never been uploaded: `wrangler secret bulk` makes such a one to hold the first secrets.
    #[must_use]
    pub fn is_draft(&self) -> bool {
        self.classes.is_empty()
            && self.variables.is_empty()
            && self.bucket.is_none()
            && self.secrets.iter().any(|name| name == "PSN_API_TOKEN")
    }
}

/// What became of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// It is there.
    There,
    /// It is not, and can be made.
    Absent,
    /// Nobody has switched R2 on for the account.
    Off,
    /// The token may not see buckets.
    Hidden,
}

/// A deployment: which version answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// The version that gets all requests, if one does.
    pub version: Option<String>,
}

/// A version, as far as going back to it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: String,
    /// Names the code it has.
    pub etag: String,
    /// The classes of its objects.
    pub classes: Vec<String>,
}

impl CallError {
    /// Whether it is about the token rather than about what was asked.
    #[must_use]
    pub const fn is_token(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => {
                matches!(*status, 401 | 403) || matches!(*code, 9106 | 9109 | 6003 | 10000 | 10001)
            }
            Self::Away(_) => false,
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn todo(&self) -> &'static str {
        match self {
            error if error.is_token() => PERMISSION_HINT,
            Self::Away(_) => "see whether this machine reaches the internet, then run the same command again",
            Self::Refused { .. } => "run the same command again in a moment: what is done already stays done",
        }
    }

    /// As an error of the command line.
    #[must_use]
    pub fn into_error(self, what: &str) -> CliError {
        CliError::outcome(format!("{what}: {self}")).hint(self.todo())
    }

    const fn is(&self, number: i64) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == number)
    }
}

/// What to do about a token that is not accepted.
pub const TOKEN_HINT: &str = "make a token at dash.cloudflare.com/profile/api-tokens with the template \"Edit Cloudflare Workers\" \
    and put it into `config/keys.env` as `CLOUDFLARE_API_TOKEN`";

/// What to do about a token that is accepted and may not do what it has to.
const PERMISSION_HINT: &str = "the token needs more: make one at dash.cloudflare.com/profile/api-tokens with the template \
    \"Edit Cloudflare Workers\", for this account, and put it into `config/keys.env` as `CLOUDFLARE_API_TOKEN`";

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(why) => write!(f, "Cloudflare's API did not answer ({why})"),
            Self::Refused { code, message, status } => match code {
                0 => write!(f, "Cloudflare answered {status}"),
                code => write!(f, "Cloudflare says \"{}\" (code {code})", message.trim_end_matches('.')),
            },
        }
    }
}

type Called<T> = Result<T, CallError>;

fn texts(list: &Value, kind: &str, member: &str) -> Vec<String> {
    let of_kind = list.as_array().into_iter().flatten().filter(|one| one["type"] == kind);
    of_kind
        .filter_map(|one| one[member].as_str().map(str::to_owned))
        .collect()
}

impl Cloudflare {
    /// The API that the environment names, or the real one.
    ///
    /// # Errors
    /// A token that cannot be one.
    pub fn new(environment: &Variables, token: &str) -> CliResult<Self> {
        let which = Which {
            variable: BASE_URL,
            real: REAL_BASE,
            token: "CLOUDFLARE_API_TOKEN",
            hint: TOKEN_HINT,
            deadline: DEADLINE,
        };
        Management::new(which, environment, token).map(Self)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Called<Value> {
        let answer = self.0.call(method, path, body).await;
        let answer = answer.map_err(|error| CallError::Away(error.message))?;
        read(&answer)
    }

    async fn get(&self, path: &str) -> Called<Value> {
        self.call(Method::GET, path, None).await
    }

    /// The accounts that the token sees.
    ///
    /// # Errors
    /// A token that is not accepted, or no answer.
    pub async fn accounts(&self) -> Called<Vec<AccountName>> {
        let list = self.get("/accounts?per_page=50").await?;
        let account = |one: &Value| {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            AccountName {
                id: text("id"),
                name: text("name"),
            }
        };
        Ok(list.as_array().into_iter().flatten().map(account).collect())
    }

    /// The workers.dev name of an account, if somebody has chosen one.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn subdomain(&self, account: &str) -> Called<Option<String>> {
        match self.get(&format!("/accounts/{account}/workers/subdomain")).await {
            Ok(found) => Ok(found["subdomain"]
                .as_str()
                .filter(|name| !name.is_empty())
                .map(str::to_owned)),
            Err(error) if error.is(NO_SUBDOMAIN) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Chooses the workers.dev name of an account; `false` when it belongs to somebody else.
    ///
    /// # Errors
    /// No answer, or another refusal.
    pub async fn choose_subdomain(&self, account: &str, name: &str) -> Called<bool> {
        let path = format!("/accounts/{account}/workers/subdomain");
        match self.call(Method::PUT, &path, Some(&json!({ "subdomain": name }))).await {
            Ok(_) => Ok(true),
            Err(error) if error.is(SUBDOMAIN_TAKEN) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A worker; `None` when there is none of that name.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn script(&self, account: &str, name: &str) -> Called<Option<Script>> {
        let found = match self
            .get(&format!("/accounts/{account}/workers/scripts/{name}/settings"))
            .await
        {
            Ok(found) => found,
            Err(error) if error.is(NO_WORKER) => return Ok(None),
            Err(error) => return Err(error),
        };
        let bindings = &found["bindings"];
        let media = |one: &&Value| one["type"] == "r2_bucket" && one["name"] == "MEDIA";
        let bucket = bindings.as_array().into_iter().flatten().find(media);
        Ok(Some(Script {
            classes: texts(bindings, "durable_object_namespace", "class_name"),
            bucket: bucket.and_then(|one| one["bucket_name"].as_str().map(str::to_owned)),
            secrets: texts(bindings, "secret_text", "name"),
            variables: texts(bindings, "plain_text", "name"),
        }))
    }

    /// The deployments of a worker, newest first.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn deployments(&self, account: &str, name: &str) -> Called<Vec<Deployment>> {
        let found = match self
            .get(&format!("/accounts/{account}/workers/scripts/{name}/deployments"))
            .await
        {
            Ok(found) => found,
            Err(error) if error.is(NO_WORKER) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let deployment = |one: &Value| {
            let whole = one["versions"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|version| version["percentage"] == 100);
            Deployment {
                id: one["id"].as_str().unwrap_or_default().to_owned(),
                version: whole.and_then(|version| version["version_id"].as_str().map(str::to_owned)),
            }
        };
        Ok(found["deployments"]
            .as_array()
            .into_iter()
            .flatten()
            .map(deployment)
            .collect())
    }

    /// The version that was uploaded last, whether or not it answers.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn newest_version(&self, account: &str, name: &str) -> Called<Option<String>> {
        let found = self
            .get(&format!("/accounts/{account}/workers/scripts/{name}/versions"))
            .await?;
        let items = found["items"].as_array();
        Ok(items
            .and_then(|items| items.first())
            .and_then(|one| one["id"].as_str().map(str::to_owned)))
    }

    /// A version; `None` when there is none of that id.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn version(&self, account: &str, name: &str, id: &str) -> Called<Option<Version>> {
        let found = match self
            .get(&format!("/accounts/{account}/workers/scripts/{name}/versions/{id}"))
            .await
        {
            Ok(found) => found,
            Err(error) if error.is(NO_VERSION) => return Ok(None),
            Err(error) => return Err(error),
        };
        let resources = &found["resources"];
        Ok(Some(Version {
            id: id.to_owned(),
            etag: resources["script"]["etag"].as_str().unwrap_or_default().to_owned(),
            classes: texts(&resources["bindings"], "durable_object_namespace", "class_name"),
        }))
    }

    /// The times at which Cloudflare starts a worker's tasks.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn crons(&self, account: &str, name: &str) -> Called<Vec<String>> {
        let found = self
            .get(&format!("/accounts/{account}/workers/scripts/{name}/schedules"))
            .await?;
        let crons = found["schedules"].as_array().into_iter().flatten();
        Ok(crons
            .filter_map(|one| one["cron"].as_str().map(str::to_owned))
            .collect())
    }

    /// How it is with a bucket.
    ///
    /// # Errors
    /// No answer, or an unknown refusal.
    pub async fn bucket(&self, account: &str, name: &str) -> Called<Bucket> {
        match self.get(&format!("/accounts/{account}/r2/buckets/{name}")).await {
            Ok(_) => Ok(Bucket::There),
            Err(error) => bucket_of(error),
        }
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// No answer, or an unknown refusal.
    pub async fn make_bucket(&self, account: &str, name: &str) -> Called<Bucket> {
        let path = format!("/accounts/{account}/r2/buckets");
        match self.call(Method::POST, &path, Some(&json!({ "name": name }))).await {
            Ok(_) => Ok(Bucket::There),
            Err(error) => bucket_of(error),
        }
    }

    /// Removes a bucket; `false` when it holds something.
    ///
    /// # Errors
    /// No answer, or another refusal.
    pub async fn remove_bucket(&self, account: &str, name: &str) -> Called<bool> {
        match self
            .call(Method::DELETE, &format!("/accounts/{account}/r2/buckets/{name}"), None)
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.is(BUCKET_NOT_EMPTY) => Ok(false),
            Err(error) if error.is(NO_BUCKET) || error.is(R2_OFF) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn bucket_of(error: CallError) -> Called<Bucket> {
    match error {
        error if error.is(NO_BUCKET) => Ok(Bucket::Absent),
        error if error.is(R2_OFF) => Ok(Bucket::Off),
        error if error.is_token() => Ok(Bucket::Hidden),
        error => Err(error),
    }
}

/// The `result` of an answer.
fn read(answer: &HttpResponse) -> Called<Value> {
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if (200..300).contains(&answer.status) && body["success"] == true {
        return Ok(body["result"].take());
    }
    let Some(first) = body["errors"].get(0) else {
        return Err(match answer.status {
            status @ 400..500 => CallError::Refused {
                status,
                code: 0,
                message: String::new(),
            },
            status => CallError::Away(format!("status {status}")),
        });
    };
    let message = first["message"]
        .as_str()
        .unwrap_or_default()
        .chars()
        .take(300)
        .collect();
    Err(CallError::Refused {
        status: answer.status,
        code: first["code"].as_i64().unwrap_or_default(),
        message,
    })
}
