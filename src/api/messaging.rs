//! What routes need to write to people and to hear from them: the services, what opens their addresses, and pages' addresses.

use crate::ports::http::HttpClient;
use crate::store::seal::{SealError, Sealer};
use crate::tasks::notify::channel::{Outgoing, Sent, send};
use crate::tasks::notify::links::Links;
use crate::tasks::notify::settings::Settings;
use crate::tasks::notify::target::Target;
use crate::tasks::settings::Settings as Operator;
use std::future::Future;
use std::pin::Pin;

/// What writing to people works with.
pub struct Messaging {
    /// The services.
    pub settings: Settings,
    /// Seals and opens what destinations hold.
    pub sealer: Sealer,
    /// Makes and judges addresses of pages for people; `None` where nobody said at which origin.
    pub links: Option<Links>,
    carrier: Box<dyn Carrier>,
}

impl Messaging {
    /// What the operator's settings allow, over that client.
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn new(operator: &Operator, http: impl HttpClient + 'static) -> Result<Self, SealError> {
        Ok(Self {
            settings: operator.notify.clone(),
            sealer: operator.sealer()?,
            links: operator.links(),
            carrier: Box::new(http),
        })
    }

    /// Sends a message now.
    pub async fn send(&self, target: &Target, outgoing: &Outgoing<'_>) -> Sent {
        self.carrier.carry(&self.settings, target, outgoing).await
    }

    /// The telephone's number behind an id that WhatsApp shows instead of it, where the gateway knows it.
    pub async fn phone_of(&self, lid: &str) -> Option<String> {
        self.carrier.phone_of(&self.settings, lid).await
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An HTTP client, as far as messages need it.
trait Carrier: Send + Sync {
    fn carry<'a>(&'a self, settings: &'a Settings, target: &'a Target, outgoing: &'a Outgoing<'a>) -> Answer<'a, Sent>;

    fn phone_of<'a>(&'a self, settings: &'a Settings, lid: &'a str) -> Answer<'a, Option<String>>;
}

impl<H: HttpClient> Carrier for H {
    fn carry<'a>(&'a self, settings: &'a Settings, target: &'a Target, outgoing: &'a Outgoing<'a>) -> Answer<'a, Sent> {
        Box::pin(send(self, settings, target, outgoing))
    }

    fn phone_of<'a>(&'a self, settings: &'a Settings, lid: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(crate::tasks::notify::waha::phone_of(self, settings, lid))
    }
}
