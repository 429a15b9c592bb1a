//! Parameters of a query or a form (`application/x-www-form-urlencoded`).

use axum::body::Body;
use axum::http::{HeaderMap, header};

/// Longest body that is read.
const BODY_BYTES_MAX: usize = 32 * 1024;

/// Parameters, in their order. What is sent empty counts as left out (RFC 6749, section 3.1).
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Those of a query.
    pub fn of_query(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned();
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Those of a form.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub async fn of_form(headers: &HeaderMap, body: Body) -> Result<Self, String> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err("the body has to be a form: send it as `application/x-www-form-urlencoded`".to_owned());
        }
        let bytes = bytes(body).await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| "the form cannot be read: expected UTF-8".to_owned())?;
        Ok(Self::of_query(text))
    }

    /// A parameter that may be there once.
    ///
    /// # Errors
    /// That it is there more than once, in one sentence.
    pub fn one(&self, name: &str) -> Result<Option<&str>, String> {
        let mut values = self.all(name);
        let value = values.next();
        match values.next() {
            None => Ok(value),
            Some(_) => Err(format!("`{name}` is given twice: give it once")),
        }
    }

    /// A parameter that has to be there once.
    ///
    /// # Errors
    /// That it is missing, or there more than once, in one sentence.
    pub fn needed(&self, name: &str) -> Result<&str, String> {
        self.one(name)?.ok_or_else(|| format!("`{name}` is missing"))
    }

    /// Every value of a parameter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self.0.iter().filter(move |(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A body as a whole.
///
/// # Errors
/// That it is too long or broke off, in one sentence.
pub async fn bytes(body: Body) -> Result<axum::body::Bytes, String> {
    let most = BODY_BYTES_MAX / 1024;
    let read = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
    read.map_err(|_| format!("the body is longer than {most} KiB, or broke off: send it again, and less"))
}
