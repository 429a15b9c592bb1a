//! The Worker: what Cloudflare calls. A shell: parse, hand to the core, persist, set the alarm, answer.
#![allow(
    missing_docs,
    reason = "the macros of `worker` generate public items without documentation"
)]

mod account;
mod ambient;
mod buffer;
mod index;
pub mod media;
mod objects;
mod post;
mod serve;
mod storage;
pub mod zones;

use crate::net::Client;
use crate::tasks::settings::{Missing, Settings};
use std::sync::Arc;
use worker::Env;

/// The names of bindings, as `wrangler.toml` has them.
mod binding {
    pub const POST: &str = "POST";
    pub const ACCOUNT: &str = "ACCOUNT";
    pub const INDEX: &str = "INDEX";
    /// The bucket of media.
    pub const MEDIA: &str = "MEDIA";
    /// The one index object.
    pub const INDEX_NAME: &str = "index";
}

/// The HTTP client of that environment, which attaches media where there is a place for them.
fn http(env: &Env) -> Result<Client, String> {
    let client = Client::new().map_err(|error| error.to_string())?;
    Ok(match env.bucket(binding::MEDIA) {
        Ok(bucket) => client.with_media(bucket),
        Err(_) => client,
    })
}

/// Reads secrets and variables by name; both are texts of the environment.
fn settings(env: &Env) -> Result<Arc<Settings>, Vec<Missing>> {
    Settings::read(|name| env.var(name).ok().map(|value| value.to_string())).map(Arc::new)
}

/// What is missing, in one line for the log. Names and hints only, never values.
fn describe(missing: &[Missing]) -> String {
    let named: Vec<_> = missing
        .iter()
        .map(|item| format!("`{}`: {}", item.name, item.hint))
        .collect();
    named.join("; ")
}
