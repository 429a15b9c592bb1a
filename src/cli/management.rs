//! The management APIs of Cloudflare and Neon: JSON over HTTPS, with a token in a header and nowhere else.

use crate::cli::config::Variables;
use crate::cli::error::{CliError, CliResult};
use crate::domain::time::Millis;
use crate::net::Client;
use crate::ports::http::{HttpClient, HttpError, HttpRequest, HttpResponse};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;

/// Which API it is.
#[derive(Clone, Copy, Debug)]
pub struct Which {
    /// The variable that names another address than the real one.
    pub variable: &'static str,
    /// The real address.
    pub real: &'static str,
    /// The name of its token.
    pub token: &'static str,
    /// What to do about a token that is none.
    pub hint: &'static str,
    /// Time for one call.
    pub deadline: Millis,
}

/// The API with a token.
#[derive(Clone, Debug)]
pub struct Management {
    http: Client,
    base: String,
    token: HeaderValue,
    deadline: Millis,
}

impl Management {
    /// The API that the environment names, or the real one.
    ///
    /// # Errors
    /// A token that cannot be one.
    pub fn new(which: Which, environment: &Variables, token: &str) -> CliResult<Self> {
        let base = environment.get(which.variable).map_or(which.real, String::as_str);
        let mut token = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
            CliError::input(format!("`{}` has characters that no token has", which.token)).hint(which.hint)
        })?;
        token.set_sensitive(true);
        Ok(Self {
            http: Client::new().map_err(|error| CliError::outcome(error.message))?,
            base: base.trim_end_matches('/').to_owned(),
            token,
            deadline: which.deadline,
        })
    }

    /// One call, sent once.
    ///
    /// # Errors
    /// No answer.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<HttpResponse, HttpError> {
        let json = HeaderValue::from_static("application/json");
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, self.token.clone());
        headers.insert(header::ACCEPT, json.clone());
        headers.insert(header::CONTENT_TYPE, json);
        let request = HttpRequest {
            method,
            url: format!("{}{path}", self.base),
            headers,
            body: body.map(|body| Bytes::from(body.to_string())).unwrap_or_default(),
            attached: None,
            deadline: self.deadline,
        };
        self.http.send(request).await
    }
}
