//! Where the caller is told things. What is needed to reach a service is checked, sealed, and never shown again.

use super::{digest_due, messaging};
use crate::api::auth::Caller;
use crate::api::body::Fields;
use crate::api::body::Json;
use crate::api::messaging::Messaging;
use crate::api::planned::text_of;
use crate::api::problem::{FieldError, Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared};
use crate::domain::id::DestinationId;
use crate::domain::order;
use crate::domain::secret::Secret;
use crate::ports::entropy::Entropy;
use crate::ports::objects::Objects;
use crate::store::destinations::Destination;
use crate::tasks::notify::target::{FIELDS, Target, fields_of};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// Destinations of a user, at most.
const DESTINATIONS_MAX: usize = 10;
/// Longest name of one.
const LABEL_MAX: usize = 60;

/// A destination without its secrets.
pub(super) fn json_of(destination: &Destination, messaging: &Messaging) -> Value {
    let target = open(destination, messaging);
    let problem = target.is_none().then_some(
        "what is sealed here cannot be opened with the keys that there are, so nothing is sent: set it again",
    );
    let answers = target
        .as_ref()
        .and_then(|target| target.phone(&messaging.settings))
        .map(|(_, provider)| messaging.settings.hears(provider, messaging.links.is_some()));
    json!({
        "id": destination.id,
        "kind": destination.kind,
        "label": destination.label,
        "enabled": destination.enabled,
        "address": target.as_ref().map(Target::shown),
        "answers": answers,
        "problem": problem,
    })
}

/// What a destination holds; `None` where it cannot be opened or another version wrote it.
pub(super) fn open(destination: &Destination, messaging: &Messaging) -> Option<Target> {
    let opened = messaging.sealer.open(destination.sealed.expose(), &destination.place());
    Target::from_secret(&opened.ok()?)
}

/// There is no such destination, or it is another's.
pub(super) fn no_destination() -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        "there is no destination with this id: `GET /v1/notifications` lists those there are",
    )
}

/// The bytes of a `Box<dyn Entropy>`, for whoever wants a type.
struct Random<'a>(&'a dyn Entropy);

impl Entropy for Random<'_> {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.fill(buffer);
    }
}

/// What a body says about the service, by field.
fn given(fields: &mut Fields) -> Map<String, Value> {
    let taken = FIELDS.map(|name| Some((name.to_owned(), fields.raw(name)?)));
    order::gather(taken.into_iter().flatten())
}

/// Reads what is said of a service; what is wrong stands in `fields`.
fn target(kind: &str, given: &Map<String, Value>, messaging: &Messaging, fields: &mut Fields) -> Option<Target> {
    for name in given.keys() {
        let known = fields_of(kind);
        if !known.is_empty() && !known.contains(&name.as_str()) {
            let known = known
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ");
            fields.refuse(name, format!("`{name}` says nothing about `{kind}`: expected {known}"));
        }
    }
    match Target::read(kind, given, &messaging.settings) {
        Ok(target) => Some(target),
        Err(wrong) => {
            for (name, message) in wrong {
                fields.refuse(name, message);
            }
            None
        }
    }
}

/// Its name, which is shown in logs: without control characters.
fn label(fields: &mut Fields) -> Option<String> {
    let label = text_of(fields, "label", LABEL_MAX)?;
    if label.contains(char::is_control) {
        fields.refuse("label", "`label` contains control characters: give it one line");
    }
    Some(label)
}

fn sealed(
    app_entropy: &dyn Entropy,
    destination: &mut Destination,
    target: &Target,
    with: &Messaging,
) -> Result<(), Problem> {
    let sealed = with
        .sealer
        .seal(&target.to_secret(), &destination.place(), &Random(app_entropy));
    let sealed = sealed.map_err(|_| {
        Problem::new(
            ProblemKind::Internal,
            "the destination could not be sealed, nothing was changed: check `HUB_ENCRYPTION_KEY`",
        )
    })?;
    destination.sealed = Secret::new(sealed);
    Ok(())
}

/// A user has one telephone that answers, so there is one destination of that kind.
fn second_phone() -> FieldError {
    FieldError::field(
        "kind",
        "there is a WhatsApp destination already, and answers come from one telephone: change that one, or remove it first",
    )
}

/// `POST /v1/notifications/destinations`
pub async fn create<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let messaging = messaging(&app)?;
    let mut fields = asked.object()?;
    let kind = fields.text("kind").unwrap_or_default();
    let label = label(&mut fields);
    let enabled = fields.boolean("enabled").unwrap_or(true);
    let given = given(&mut fields);
    let target = match kind.is_empty() && fields.names("kind") {
        true => None,
        false => target(&kind, &given, messaging, &mut fields),
    };
    let errors = fields.finish();
    let Some(target) = target.filter(|_| errors.is_empty()) else {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    };
    let store = app.rows.store()?;
    let there = store.destination_list(&caller.user).await?;
    if there.len() >= DESTINATIONS_MAX {
        let message = format!("there are {DESTINATIONS_MAX} destinations already, which is the most: remove one first");
        return Err(Problem::field("kind", message));
    }
    if target.kind() == "whatsapp" && there.iter().any(|one| one.kind == "whatsapp") {
        return Err(Problem::of(ProblemKind::FieldInvalid, vec![second_phone()]));
    }
    let mut destination = Destination {
        id: DestinationId::from_random(app.entropy.bytes16()),
        user: caller.user.clone(),
        kind: target.kind().to_owned(),
        label: label.unwrap_or_else(|| target.shown()),
        sealed: Secret::new(""),
        enabled,
    };
    sealed(app.entropy.as_ref(), &mut destination, &target, messaging)?;
    write(&app, &destination, &target, messaging).await?;
    Ok((StatusCode::CREATED, Json(json_of(&destination, messaging))).into_response())
}

async fn write<O: Objects, R: Rows>(
    app: &App<O, R>,
    destination: &Destination,
    target: &Target,
    messaging: &Messaging,
) -> Result<(), Problem> {
    let phone = target.phone(&messaging.settings).filter(|_| destination.enabled);
    let put = app
        .rows
        .store()?
        .destination_put_with(destination, phone, app.clock.now());
    put.await?;
    // What waited for somebody to be told goes out with their next digest.
    digest_due(app).await;
    Ok(())
}

/// `PATCH /v1/notifications/destinations/{id}`
pub async fn amend<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let messaging = messaging(&app)?;
    let id = DestinationId::parse(&asked.id).ok_or_else(no_destination)?;
    let mut fields = asked.object()?;
    let label = label(&mut fields);
    let enabled = fields.boolean("enabled");
    let given = given(&mut fields);
    if label.is_none() && enabled.is_none() && given.is_empty() && fields.is_sound() {
        fields.refuse(
            "label",
            "nothing is to be changed: give `label`, `enabled` or a field of the service",
        );
    }
    if !fields.is_sound() {
        return Err(Problem::of(ProblemKind::FieldInvalid, fields.finish()));
    }
    let there = app.rows.store()?.destination_list(&caller.user).await?;
    let mut destination = there.into_iter().find(|one| one.id == id).ok_or_else(no_destination)?;
    let before = open(&destination, messaging);
    let mut target = before.clone();
    if !given.is_empty() {
        // What is not named stays.
        let mut wanted = before.as_ref().map(Target::members).unwrap_or_default();
        wanted.extend(given.clone());
        let kind = destination.kind.clone();
        target = self::target(&kind, &wanted, messaging, &mut fields);
    }
    let errors = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    let Some(target) = target else {
        let message = "what is sealed here cannot be opened: give all fields of the service again";
        return Err(Problem::field("kind", message));
    };
    destination.label = label.unwrap_or(destination.label);
    destination.enabled = enabled.unwrap_or(destination.enabled);
    if !given.is_empty() {
        sealed(app.entropy.as_ref(), &mut destination, &target, messaging)?;
    }
    write(&app, &destination, &target, messaging).await?;
    Ok(Json(json_of(&destination, messaging)).into_response())
}

/// `DELETE /v1/notifications/destinations/{id}`
pub async fn remove<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let id = DestinationId::parse(&asked.id).ok_or_else(no_destination)?;
    let removed = app.rows.store()?.destination_delete(&caller.user, &id, app.clock.now());
    match removed.await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(no_destination()),
    }
}
