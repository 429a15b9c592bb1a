//! Neon's own API: makes a project for somebody who has none. The key travels in a header, and nowhere else.

use crate::cli::config::{Secret, Variables};
use crate::cli::error::{CliError, CliResult};
use crate::cli::management::{Management, Which};
use crate::domain::time::Millis;
use crate::ports::http::HttpErrorKind;
use http::Method;
use serde_json::{Value, json};

/// The variable that names another address than the real one.
pub const BASE_URL: &str = "NEON_API_BASE_URL";

const REAL_BASE: &str = "https://console.neon.tech/api/v2";

const DEADLINE: Millis = Millis(60_000);

/// What to do about a key that is not accepted.
const KEY_HINT: &str = "make a key at console.neon.tech > Account settings > API keys and put it into `config/keys.env` as \
    `NEON_API_KEY`, or give a connection string with `--database -`";

/// Neon with a key.
#[derive(Clone, Debug)]
pub struct Console {
    api: Management,
    organisation: Option<String>,
}

/// A project of Neon.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// How to reach its database.
    pub connection: Secret,
    /// Whether it was there already.
    pub found: bool,
}

impl Console {
    /// Neon's API that the environment names, or the real one.
    ///
    /// # Errors
    /// A key that cannot be one.
    pub fn new(environment: &Variables, key: &str, organisation: Option<&str>) -> CliResult<Self> {
        let which = Which {
            variable: BASE_URL,
            real: REAL_BASE,
            token: "NEON_API_KEY",
            hint: KEY_HINT,
            deadline: DEADLINE,
        };
        Ok(Self {
            api: Management::new(which, environment, key)?,
            organisation: organisation.map(str::to_owned),
        })
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> CliResult<Value> {
        let answer = self.api.call(method, path, body).await.map_err(|error| {
            let failed = CliError::outcome(format!("Neon's API did not answer: {}", error.message));
            match error.kind {
                HttpErrorKind::NotSent => {
                    failed.hint("see whether this machine reaches console.neon.tech, then run it again")
                }
                HttpErrorKind::MaybeSent => {
                    failed.hint("run it again: a project that was made meanwhile is found by its name")
                }
            }
        })?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match answer.status {
            200..300 => Ok(body),
            401 | 403 => Err(CliError::outcome("Neon does not accept `NEON_API_KEY`").hint(KEY_HINT)),
            status => {
                let said: String = body["message"].as_str().unwrap_or_default().chars().take(200).collect();
                let error = CliError::outcome(format!("Neon refused with status {status}: {said}"));
                Err(if said.contains("org_id") {
                    error.hint(
                        "name the organisation with `NEON_ORG_ID` in `config/keys.env` (console.neon.tech > Settings)",
                    )
                } else {
                    error.hint("look at console.neon.tech whether the plan allows another project, then run it again")
                })
            }
        }
    }

    /// The project of that name; it is made unless it is there. Run again after a lost answer it finds what was made.
    ///
    /// # Errors
    /// A key that is not accepted, a plan that allows no more projects, no answer.
    pub async fn project(&self, name: &str) -> CliResult<Project> {
        let organisation = match &self.organisation {
            Some(id) => Some(id.clone()),
            None => self.only_organisation().await?,
        };
        let query = organisation
            .as_ref()
            .map_or_else(String::new, |id| format!("&org_id={id}"));
        let found = self
            .call(Method::GET, &format!("/projects?limit=100&search={name}{query}"), None)
            .await?;
        let named = |one: &&Value| one["name"] == name;
        if let Some(project) = found["projects"].as_array().into_iter().flatten().find(named) {
            let id = project["id"].as_str().unwrap_or_default().to_owned();
            let connection = self.connection(&id).await?;
            return Ok(Project {
                id,
                connection,
                found: true,
            });
        }
        let mut project = json!({ "name": name });
        if let Some(id) = organisation {
            project["org_id"] = json!(id);
        }
        let made = self
            .call(Method::POST, "/projects", Some(&json!({ "project": project })))
            .await?;
        let id = made["project"]["id"].as_str().unwrap_or_default().to_owned();
        let uri = made["connection_uris"][0]["connection_uri"].as_str();
        Ok(Project {
            connection: match uri {
                Some(uri) => Secret(uri.to_owned()),
                None => self.connection(&id).await?,
            },
            id,
            found: false,
        })
    }

    /// Keys of an organisation see projects only with its name; keys of a person without one.
    async fn only_organisation(&self) -> CliResult<Option<String>> {
        // A key that belongs to an organisation may not ask whose it is: then Neon knows by itself.
        let Ok(found) = self.call(Method::GET, "/users/me/organizations", None).await else {
            return Ok(None);
        };
        let all: Vec<&str> = found["organizations"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["id"].as_str())
            .collect();
        match all.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some((*one).to_owned())),
            several => Err(CliError::input(format!(
                "this key sees several organisations of Neon: {}",
                several.join(", ")
            ))
            .hint("name the one to use with `NEON_ORG_ID` in `config/keys.env`")),
        }
    }

    async fn connection(&self, id: &str) -> CliResult<Secret> {
        let databases = self
            .call(Method::GET, &format!("/projects/{id}/branches"), None)
            .await?;
        let is_default = |one: &&Value| one["default"] == true;
        let branch = databases["branches"].as_array().into_iter().flatten().find(is_default);
        let branch = branch.and_then(|one| one["id"].as_str()).unwrap_or_default().to_owned();
        let found = self
            .call(
                Method::GET,
                &format!("/projects/{id}/branches/{branch}/databases"),
                None,
            )
            .await?;
        let first = &found["databases"][0];
        let (database, role) = (
            first["name"].as_str().unwrap_or("neondb"),
            first["owner_name"].as_str().unwrap_or("neondb_owner"),
        );
        let path =
            format!("/projects/{id}/connection_uri?branch_id={branch}&database_name={database}&role_name={role}");
        let found = self.call(Method::GET, &path, None).await?;
        let uri = found["uri"].as_str();
        uri.map(|uri| Secret(uri.to_owned())).ok_or_else(|| {
            CliError::outcome("Neon did not say how to reach the database of the project")
                .hint("copy the connection string at console.neon.tech > your project > Connect, and run `psn init --database -`")
        })
    }
}
