//! The HTTP port of the Worker's target, opened to the tests: JSON in, JSON out. It is built for them alone and is no
//! part of the Worker.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, reason = "for the tests")]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use psn::domain::time::Millis;
use psn::net::Client;
use psn::ports::http::{HttpClient, HttpErrorKind, HttpRequest};
use serde::Deserialize;
use serde_json::{Value, json};
use worker::wasm_bindgen::{self, prelude::wasm_bindgen};

/// A request as the tests write it.
#[derive(Deserialize)]
struct Asked {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    deadline_ms: i64,
}

/// Sends one request through the port. Throws when the test's own request cannot be read.
#[wasm_bindgen(js_sys = worker::js_sys, wasm_bindgen_futures = worker::wasm_bindgen_futures)]
pub async fn exchange(asked: String) -> Result<String, String> {
    let request = read(&asked).map_err(|error| format!("the test's request cannot be read: {error}"))?;
    let client = Client::new().map_err(|error| error.message)?;
    let answer = match client.send(request).await {
        Ok(answer) => {
            let headers = answer.headers.iter();
            let headers: Vec<(&str, String)> = headers
                .map(|(name, value)| (name.as_str(), BASE64_STANDARD.encode(value.as_bytes())))
                .collect();
            json!({"status": answer.status, "headers": headers, "body": BASE64_STANDARD.encode(&answer.body)})
        }
        Err(error) => json!({"not_sent": error.kind == HttpErrorKind::NotSent, "message": error.message}),
    };
    Ok(Value::to_string(&answer))
}

fn read(asked: &str) -> Result<HttpRequest, Box<dyn std::error::Error>> {
    let asked: Asked = serde_json::from_str(asked)?;
    let mut headers = http::HeaderMap::new();
    for (name, value) in &asked.headers {
        headers.append(name.parse::<http::HeaderName>()?, value.parse()?);
    }
    Ok(HttpRequest {
        method: asked.method.parse()?,
        url: asked.url,
        headers,
        body: BASE64_STANDARD.decode(&asked.body)?.into(),
        attached: None,
        deadline: Millis(asked.deadline_ms),
    })
}
