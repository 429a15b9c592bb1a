//! One emulated platform with an app, an account, a clock that stands, and the client that is tested.

use psn::dev::emulators::engine::{self, Account, Handle, Options, Site};
use psn::dev::emulators::oauth::App;
use psn::dev::faults::Plan;
use psn::dev::ledger::OauthLedger;
use psn::domain::platform::Platform;
use psn::domain::secret::Secret;
use psn::domain::time::{Millis, Timestamp};
use psn::net;
use psn::platforms::oauth::{
    CALL_DEADLINE_MS, Client, Code, Consent, Identity, Renewal, Settings, TokenAnswer, Tokens, Verifier, consent_url,
};
use psn::ports::clock::Clock;
use psn::ports::memory::{ManualClock, SeededEntropy};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub const REDIRECT: &str = "http://127.0.0.1:18923/callback";
pub const STATE: &str = "state of & this consent";

#[derive(Clone)]
pub struct SharedClock(pub Arc<ManualClock>);
impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

pub struct Bench<S: Site> {
    pub emulator: Handle<S>,
    pub platform: Platform,
    pub clock: Arc<ManualClock>,
    pub settings: Settings,
    pub client: Client<net::Client, SharedClock>,
    pub verifier: Verifier,
    browser: reqwest::Client,
}

/// What a redirect brought.
pub type Redirect = BTreeMap<String, String>;

/// A page or redirect as a browser sees it.
pub struct Page {
    pub status: u16,
    pub location: Option<String>,
    pub text: String,
}

impl Page {
    pub fn parameters(&self) -> Redirect {
        let location = self
            .location
            .as_deref()
            .unwrap_or_else(|| panic!("no redirect: {}", self.text));
        let query = location.strip_prefix(&format!("{REDIRECT}?")).unwrap();
        let query = query.split('#').next().unwrap();
        pairs(query).into_iter().collect()
    }

    /// The fields of its form that would be sent, whichever button is pressed.
    pub fn fields(&self) -> Vec<(String, String)> {
        let inputs = self.text.split("<input ").skip(1);
        let inputs = inputs.map(|rest| rest.split('>').next().unwrap());
        let sent = inputs.filter(|input| input.contains("type=\"hidden\"") || input.ends_with("checked"));
        sent.map(|input| (attribute(input, "name"), attribute(input, "value")))
            .collect()
    }
}

fn attribute(input: &str, name: &str) -> String {
    let value = input
        .split(&format!("{name}=\""))
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    value
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

pub fn pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

pub fn form(pairs: &[(String, String)]) -> String {
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.join("&")
}

pub fn app(secret: Option<&str>) -> App {
    App {
        id: "the-app".to_owned(),
        name: "psn <test>".to_owned(),
        secret: secret.map(str::to_owned),
        redirect_uris: vec![REDIRECT.to_owned(), "https://psn.example/oauth/callback".to_owned()],
    }
}

pub fn account(id: &str, username: &str) -> Account {
    Account {
        id: id.to_owned(),
        username: username.to_owned(),
        access_token: String::new(),
    }
}

impl<S: Site> Bench<S> {
    pub async fn start(platform: Platform, variables: &[&str], oauth: Value) -> Self {
        Self::start_at(platform, variables, oauth, None).await
    }

    /// `variables`: those that name the emulator's first host; `…_TOKEN_URL` and `…_AUTH_URL` get its second.
    pub async fn start_at(platform: Platform, variables: &[&str], oauth: Value, state_file: Option<PathBuf>) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
        let settings: S::Settings = serde_json::from_value(json!({ "oauth": oauth })).unwrap();
        let options = Options {
            settings,
            clock: Some(clock.clone() as Arc<dyn Clock>),
            state_file,
            ..Options::default()
        };
        let emulator: Handle<S> = engine::start(options).await.unwrap();
        emulator.add_app(app(Some("s+crët /1"))).unwrap();
        let variable = |name: &str| {
            let is_second = name.ends_with("_TOKEN_URL") || name.ends_with("_AUTH_URL");
            let url = if is_second {
                emulator.second_url()
            } else {
                emulator.url()
            };
            variables.contains(&name).then(|| url.to_owned())
        };
        let mut settings = Settings::read(CALL_DEADLINE_MS, variable);
        settings.set_app(platform, "the-app", Some("s+crët /1"));
        let client = Client::new(
            net::Client::new().unwrap(),
            SharedClock(clock.clone()),
            settings.clone(),
        );
        let browser = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            emulator,
            platform,
            clock,
            settings,
            client,
            verifier: Verifier::random(&SeededEntropy::new(7)),
            browser,
        }
    }

    /// A client with other settings.
    pub fn client_with(&self, change: impl FnOnce(&mut Settings)) -> Client<net::Client, SharedClock> {
        let mut settings = self.settings.clone();
        change(&mut settings);
        Client::new(net::Client::new().unwrap(), SharedClock(self.clock.clone()), settings)
    }

    pub fn consent_url(&self) -> String {
        self.consent_url_for(&self.settings.scopes(self.platform))
    }

    pub fn consent_url_for(&self, scopes: &[String]) -> String {
        let consent = Consent {
            redirect_uri: REDIRECT,
            state: STATE,
            verifier: &self.verifier,
            scopes,
        };
        consent_url(self.platform, &self.settings, &consent).unwrap()
    }

    pub async fn get(&self, url: &str) -> Page {
        page(self.browser.get(url)).await
    }

    pub async fn submit(&self, fields: &[(String, String)]) -> Page {
        let url = self.consent_url();
        let request = self.browser.post(url.split('?').next().unwrap());
        page(
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form(fields)),
        )
        .await
    }

    /// Opens the page and presses a button.
    pub async fn press(&self, decision: &str, more: &[(&str, &str)]) -> Page {
        let shown = self.get(&self.consent_url()).await;
        assert_eq!(shown.status, 200, "{}", shown.text);
        let mut fields = shown.fields();
        fields.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        fields.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        fields.push(("decision".to_owned(), decision.to_owned()));
        self.submit(&fields).await
    }

    /// A code as the redirect brings it.
    pub async fn code(&self) -> Secret {
        let redirect = self.press("allow", &[]).await.parameters();
        assert_eq!(redirect["state"], STATE);
        Secret::new(redirect["code"].as_str())
    }

    pub async fn exchange(&self, code: &Secret) -> TokenAnswer {
        self.exchange_with(code, REDIRECT, &self.verifier).await
    }

    pub async fn exchange_with(&self, code: &Secret, redirect_uri: &str, verifier: &Verifier) -> TokenAnswer {
        let code = Code {
            code,
            redirect_uri,
            verifier,
        };
        self.client.exchange(self.platform, &code).await
    }

    pub async fn connect(&self) -> Tokens {
        let code = self.code().await;
        granted(self.exchange(&code).await)
    }

    pub async fn renew(&self, tokens: &Tokens) -> TokenAnswer {
        let renewal = Renewal {
            access_token: &tokens.access_token,
            refresh_token: tokens.refresh_token.as_ref(),
        };
        self.client.renew(self.platform, &renewal).await
    }

    pub async fn identity(&self, tokens: &Tokens) -> Result<Identity, String> {
        let identity = self.client.identity(self.platform, &tokens.access_token).await;
        identity.map_err(|error| error.to_string())
    }

    pub fn wait_s(&self, seconds: i64) {
        self.clock.advance(Millis::from_secs(seconds));
    }

    pub fn plan(&self, rules: Value) {
        let settings = self.emulator.faults().settings;
        let settings = serde_json::to_value(settings).unwrap();
        let plan: Plan<S::Settings> = serde_json::from_value(json!({"settings": settings, "rules": rules})).unwrap();
        self.emulator.set_faults(plan).unwrap();
    }

    pub fn ledger(&self) -> OauthLedger {
        self.emulator.ledger().oauth
    }

    /// Grant and outcome of every token call.
    pub fn outcomes(&self) -> Vec<(String, String)> {
        let calls = self.ledger().calls.into_iter();
        calls.map(|call| (call.grant, call.outcome)).collect()
    }
}

async fn page(request: reqwest::RequestBuilder) -> Page {
    let answer = request.send().await.unwrap();
    let location = answer
        .headers()
        .get("location")
        .map(|value| value.to_str().unwrap().to_owned());
    Page {
        status: answer.status().as_u16(),
        location,
        text: answer.text().await.unwrap(),
    }
}

pub fn granted(answer: TokenAnswer) -> Tokens {
    match answer {
        TokenAnswer::Granted(tokens) => tokens,
        other => panic!("{other:?}"),
    }
}

/// Grants and outcomes to be compared with [`Bench::outcomes`].
pub fn calls(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(grant, outcome)| ((*grant).to_owned(), (*outcome).to_owned()))
        .collect()
}

/// Which answer it is, and its words.
pub fn kind(answer: TokenAnswer) -> (&'static str, String) {
    match answer {
        TokenAnswer::Granted(_) => ("granted", String::new()),
        TokenAnswer::Dead { message } => ("dead", message),
        TokenAnswer::AppRefused { message } => ("app", message),
        TokenAnswer::NotNow { message, .. } => ("later", message),
        TokenAnswer::Lost { message } => ("lost", message),
    }
}
