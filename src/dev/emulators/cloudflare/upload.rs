//! What wrangler uploads: a form whose part `metadata` says what the other parts are.

use axum::body::Bytes;
use futures_util::stream;
use serde_json::Value;
use std::io;

/// An upload, taken apart.
#[derive(Debug, Default)]
pub struct Form {
    /// What it says of itself.
    pub metadata: Value,
    /// Its modules, the main one first.
    pub modules: Vec<(String, Bytes)>,
    /// How many bytes it has.
    pub bytes: usize,
}

/// Reads a form; what cannot be read is empty.
pub async fn read(kind: &str, body: Bytes) -> Form {
    let mut form = Form {
        bytes: body.len(),
        ..Form::default()
    };
    let Ok(boundary) = multer::parse_boundary(kind) else {
        return form;
    };
    let mut parts = multer::Multipart::new(stream::iter([Ok::<_, io::Error>(body)]), boundary);
    while let Ok(Some(part)) = parts.next_field().await {
        let name = part.name().unwrap_or_default().to_owned();
        let file = part.file_name().unwrap_or(&name).to_owned();
        let Ok(bytes) = part.bytes().await else { break };
        if name == "metadata" {
            form.metadata = serde_json::from_slice(&bytes).unwrap_or_default();
        } else {
            form.modules.push((file, bytes));
        }
    }
    let main = form.metadata["main_module"].as_str().unwrap_or_default().to_owned();
    form.modules.sort_by_key(|(name, _)| *name != main);
    form
}
