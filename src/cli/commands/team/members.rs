//! `psn team list`, `promote`, `demote`, `remove` and `leave`.

use super::{HubArgs, Team};
use crate::cli::Context;
use crate::cli::client::segment;
use crate::cli::confirm::confirmed;
use crate::cli::error::CliResult;
use crate::cli::printer::{Style, cell, excerpt};
use clap::Args;
use serde_json::{Value, json};

/// Whose.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// List those too who have left
    #[arg(long)]
    former: bool,
}

/// Whom.
#[derive(Debug, Args)]
pub struct WhoArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// Their name, as `psn team list` has it
    user: String,
}

/// Whom.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    #[command(flatten)]
    who: WhoArgs,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Which hub.
#[derive(Debug, Args)]
pub struct LeaveArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs `list`.
///
/// # Errors
/// What the worker says.
pub async fn list(context: &Context, args: ListArgs) -> CliResult {
    let team = Team::find(context, args.hub.hub.as_deref()).await?;
    let mut answer = team.worker.list(&team.path("/members")).await?;
    if let Some(items) = answer["items"].as_array_mut() {
        items.retain(|member| args.former || member["left_at"].is_null());
    }
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&json!({ "hub": team.hub, "items": answer["items"], "next_cursor": null }));
        return Ok(());
    }
    printer.data(printer.paint(Style::Strong, &team.title()));
    let line = |[user, role, name, since]: [&str; 4]| {
        let line = format!("{}  {}  {}  {since}", cell(user, 16), cell(role, 7), cell(name, 24));
        line.trim_end().to_owned()
    };
    printer.data(printer.paint(Style::Faint, &line(["USER", "ROLE", "NAME", "SINCE"])));
    for member in answer["items"].as_array().into_iter().flatten() {
        let text = |name: &str| member[name].as_str().unwrap_or_default();
        let day = |name: &str| text(name).get(..10).unwrap_or_default().to_owned();
        let (role, since) = match member["left_at"].is_null() {
            true => (text("role"), day("joined_at")),
            false => ("left", format!("until {}", day("left_at"))),
        };
        printer.data(line([text("user"), role, text("name"), &since]));
    }
    Ok(())
}

/// Runs `promote` and `demote`.
///
/// # Errors
/// What the worker says.
pub async fn role(context: &Context, args: WhoArgs, role: &str) -> CliResult {
    let team = Team::find(context, args.hub.hub.as_deref()).await?;
    let path = team.path(&format!("/members/{}", segment(&args.user)));
    let member = team.worker.patch(&path, &json!({ "role": role })).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&member);
        return Ok(());
    }
    let user = excerpt(&args.user, 60);
    printer.data(format!(
        "{user} is {} of {}",
        if role == "admin" { "an admin" } else { "a member" },
        team.title()
    ));
    if role == "admin" {
        printer.talk(format!(
            "a token made before may not decide about people: `psn team invite --user {user}` lets them have one that may"
        ));
    }
    Ok(())
}

async fn end(context: &Context, team: &Team, user: &str, said: &str) -> CliResult {
    let member: Value = team
        .worker
        .delete(&team.path(&format!("/members/{}", segment(user))))
        .await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&member);
        return Ok(());
    }
    printer.data(said);
    Ok(())
}

/// Runs `remove`.
///
/// # Errors
/// What the worker says.
pub async fn remove(context: &Context, args: RemoveArgs) -> CliResult {
    let team = Team::find(context, args.who.hub.hub.as_deref()).await?;
    let user = excerpt(&args.who.user, 60);
    context.printer.talk(format!(
        "this sends {user} away from {}: their tokens end at once; what they wrote stays. With another invite for their name \
         they can come back",
        team.title()
    ));
    confirmed(context, args.yes)?;
    end(
        context,
        &team,
        &args.who.user,
        &format!("{user} belongs to {} no more", team.title()),
    )
    .await
}

/// Runs `leave`.
///
/// # Errors
/// What the worker says.
pub async fn leave(context: &Context, args: LeaveArgs) -> CliResult {
    let team = Team::find(context, args.hub.hub.as_deref()).await?;
    let me = team.hub["user"].as_str().unwrap_or_default();
    context.printer.talk(format!(
        "this ends your membership of {}, and your token at once, unless you belong to another hub there",
        team.title()
    ));
    confirmed(context, args.yes)?;
    end(context, &team, me, &format!("you have left {}", team.title())).await
}
