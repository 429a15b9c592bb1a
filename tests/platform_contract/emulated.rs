//! The emulated platforms behind one face, so that a scenario need not know whose they are.

use crate::place::Boxed;
use psn::dev::emulators::engine::{Account, Handle, InFlight, Site};
use psn::dev::emulators::oauth::{App, Grant};
use psn::dev::faults::Rule;
use psn::dev::ledger::Ledger;
use psn::domain::time::Millis;
use serde_json::Value;

/// What scenarios do with an emulated platform.
pub trait Emulated: Send + Sync {
    /// The origins of its hosts; those it has not are its first.
    fn urls(&self) -> [String; 3];
    fn ledger(&self) -> Ledger;
    fn add_account(&self, id: &str);
    fn add_app(&self, app: App);
    /// Tokens of a consent of that age for the first app.
    fn grant(&self, account: &str, age: Millis) -> Grant;
    fn withdraw(&self, account: &str);
    fn add_rule(&self, rule: Rule);
    /// Changes these settings and keeps the others.
    fn change(&self, settings: &Value);
    /// Takes settings and rules back to how it began.
    fn calm(&self);
    fn in_flight(&self) -> Vec<InFlight>;
    fn release(&self, n: u64);
    /// Waits until it has fetched what it was to fetch.
    fn fetched(&self) -> Boxed<'_, ()>;
}

impl<S: Site> Emulated for Handle<S> {
    fn urls(&self) -> [String; 3] {
        [self.url(), self.second_url(), self.third_url()].map(str::to_owned)
    }

    fn ledger(&self) -> Ledger {
        Handle::ledger(self)
    }

    fn add_account(&self, id: &str) {
        let account = Account {
            id: id.to_owned(),
            username: format!("user.{id}"),
            access_token: String::new(),
        };
        Handle::add_account(self, account).unwrap();
    }

    fn add_app(&self, app: App) {
        Handle::add_app(self, app).unwrap();
    }

    fn grant(&self, account: &str, age: Millis) -> Grant {
        let app = self.apps()[0].id.clone();
        self.grant_of(&app, account, age).unwrap()
    }

    fn withdraw(&self, account: &str) {
        Handle::withdraw(self, account);
    }

    fn add_rule(&self, rule: Rule) {
        Handle::add_rule(self, rule).unwrap();
    }

    fn change(&self, settings: &Value) {
        let mut all = serde_json::to_value(self.faults().settings).unwrap();
        for (name, value) in settings.as_object().unwrap() {
            all[name] = value.clone();
        }
        self.set_settings(serde_json::from_value(all).unwrap()).unwrap();
    }

    fn calm(&self) {
        self.set_faults(serde_json::from_value(serde_json::json!({})).unwrap())
            .unwrap();
    }

    fn in_flight(&self) -> Vec<InFlight> {
        Handle::in_flight(self)
    }

    fn release(&self, n: u64) {
        Handle::release(self, Some(n));
    }

    fn fetched(&self) -> Boxed<'_, ()> {
        Box::pin(Handle::fetched(self))
    }
}
