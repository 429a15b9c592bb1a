//! `psn team invite`, `invites` and `withdraw`.

use super::{HubArgs, Team};
use crate::cli::Context;
use crate::cli::client::segment;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Style, cell, excerpt};
use crate::domain::hub::{self, Invitation, USER_EXPECTED};
use clap::Args;
use serde_json::{Map, Value, json};

pub const EXAMPLES: &str = "\
Examples:
  psn team invite                     for whoever comes first, under a name that is new here
  psn team invite --user bob          for bob alone: also when he was here before, or has lost his token
  psn team invite --hours 4 --hub my-team

Hand the line over in a way that only they read. It holds a code that is good once, and no key and no database.";

/// Whom.
#[derive(Debug, Args)]
pub struct InviteArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// For whom it is: somebody who was here before, or who has lost their token
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How many hours it is good: 1 to 336, otherwise 48
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=336))]
    hours: Option<u32>,
}

/// Which.
#[derive(Debug, Args)]
pub struct WithdrawArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// Its id, as `psn team invites` has it
    id: String,
}

/// Runs `invite`.
///
/// # Errors
/// What the worker says.
pub async fn run(context: &Context, args: InviteArgs) -> CliResult {
    if args.user.as_deref().is_some_and(|user| !hub::is_user_name(user)) {
        return Err(CliError::input("`--user` is a name that nobody may take").hint(USER_EXPECTED));
    }
    let team = Team::find(context, args.hub.hub.as_deref()).await?;
    let mut body = Map::new();
    body.extend(args.user.clone().map(|user| ("user".to_owned(), json!(user))));
    body.extend(args.hours.map(|hours| ("hours".to_owned(), json!(hours))));
    let made = team
        .worker
        .post(&team.path("/invites"), Some(&Value::Object(body)))
        .await?;
    let code = made["code"].as_str().unwrap_or_default();
    let invitation = Invitation {
        origin: team.worker.base().to_owned(),
        code: code.to_owned(),
    };
    let printer = &context.printer;
    let text = invitation.text();
    if Invitation::parse(&text).is_err() {
        printer.warn("nobody elsewhere can use this invite: the worker's address is none that others reach over https");
    }
    if printer.is_json() {
        printer.document(&json!({
            "invite": text, "id": made["id"], "hub": team.hub["id"], "user": made["user"], "expires_at": made["expires_at"],
        }));
        return Ok(());
    }
    printer.data(&text);
    let whom = args.user.as_deref().unwrap_or("one person");
    let until = made["expires_at"].as_str().unwrap_or_default();
    printer.talk(format!(
        "an invite to {} for {whom}, good until {until}. They run:\n  psn team join '{}#…' --user {}",
        team.title(),
        text.split('#').next().unwrap_or_default(),
        args.user.as_deref().unwrap_or("NAME"),
    ));
    Ok(())
}

/// Runs `invites`.
///
/// # Errors
/// What the worker says.
pub async fn list(context: &Context, args: HubArgs) -> CliResult {
    let team = Team::find(context, args.hub.as_deref()).await?;
    let answer = team.worker.list(&team.path("/invites")).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&answer);
        return Ok(());
    }
    let invites = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
    if invites.is_empty() {
        printer.talk("no invite was made; `psn team invite` makes one");
        return Ok(());
    }
    let line = |[id, state, user, until]: [&str; 4]| {
        format!("{}  {}  {}  {until}", cell(id, 36), cell(state, 8), cell(user, 20))
    };
    printer.data(printer.paint(Style::Faint, &line(["ID", "STATE", "FOR, OR USED BY", "GOOD UNTIL"])));
    for invite in invites {
        let text = |name: &str| invite[name].as_str().unwrap_or_default();
        let whom = invite["used_by"]
            .as_str()
            .or(invite["user"].as_str())
            .unwrap_or("anybody new");
        printer.data(line([text("id"), text("state"), whom, text("expires_at")]));
    }
    Ok(())
}

/// Runs `withdraw`.
///
/// # Errors
/// What the worker says.
pub async fn withdraw(context: &Context, args: WithdrawArgs) -> CliResult {
    let team = Team::find(context, args.hub.hub.as_deref()).await?;
    let below = format!("/invites/{}", segment(&args.id));
    team.worker.delete(&team.path(&below)).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(&json!({ "id": args.id, "withdrawn": true }));
        return Ok(());
    }
    printer.data(format!("withdrawn {}", excerpt(&args.id, 64)));
    Ok(())
}
