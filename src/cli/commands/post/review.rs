//! Approval of a hub's posts.

use super::{path, render, write};
use crate::cli::Context;
use crate::cli::client::Worker;
use crate::cli::error::CliResult;
use clap::Args;
use serde_json::{Map, Value, json};

/// A post to approve.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  psn post approve 0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97 --comment \"Lovely\"")]
pub struct ApproveArgs {
    /// The post's id
    id: String,
    /// What its author is told
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// A file with the text in place of it (`-` is stdin)
    #[arg(long, value_name = "FILE")]
    content: Option<String>,
    /// Only the content with this hash, as the request for approval names it
    #[arg(long, value_name = "HASH")]
    hash: Option<String>,
}

/// A post to reject.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  psn post reject 0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97 --comment \"Which year?\"")]
pub struct RejectArgs {
    /// The post's id
    id: String,
    /// What its author is told
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

/// Asks the hub's admins.
pub async fn submit(context: &Context, worker: &Worker, id: &str) -> CliResult {
    let post = worker.post(&format!("{}/submit", path(id)?), None).await?;
    render::post(context, &post)
}

/// Approves, with changes or without.
pub async fn approve(context: &Context, worker: &Worker, args: ApproveArgs) -> CliResult {
    let mut body = Map::new();
    if let Some(file) = &args.content {
        body.insert("content".to_owned(), json!(write::read_text(file)?));
    }
    if let Some(hash) = &args.hash {
        body.insert("hash".to_owned(), json!(hash));
    }
    decide(context, worker, &args.id, "approve", body, args.comment).await
}

/// Rejects.
pub async fn reject(context: &Context, worker: &Worker, args: RejectArgs) -> CliResult {
    decide(context, worker, &args.id, "reject", Map::new(), args.comment).await
}

async fn decide(
    context: &Context,
    worker: &Worker,
    id: &str,
    verdict: &str,
    mut body: Map<String, Value>,
    comment: Option<String>,
) -> CliResult {
    if let Some(comment) = comment {
        body.insert("comment".to_owned(), json!(comment));
    }
    let body = Value::Object(body);
    let post = worker.post(&format!("{}/{verdict}", path(id)?), Some(&body)).await?;
    render::post(context, &post)
}
