//! Waiting for the answer, wherever it comes from: the callback server, the worker, or a person who pastes it.

use super::connect::{Way, pasted};
use super::pending::Question;
use super::relay;
use crate::api::page::Page;
use crate::cli::Context;
use crate::cli::browser::{self, NoBrowser};
use crate::cli::callback::{Callback, Expected};
use crate::cli::client::Worker;
use crate::cli::error::{CliError, CliResult};
use crate::cli::printer::{Printer, Style};
use crate::platforms::oauth::redirect::Consented;
use http::Uri;
use std::io::BufRead;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

/// How often the worker is asked.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// How it is waited.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Whether the address is only shown.
    pub no_browser: bool,
    /// How long a person has.
    pub patience: Duration,
}

/// What came.
pub struct Came {
    /// Code or refusal.
    pub answer: Consented,
    /// Where the page for the browser goes, if one waits.
    pub page: Option<oneshot::Sender<Page>>,
    /// The server, to be closed when the page is sent.
    pub server: Option<Callback>,
}

impl Came {
    /// An answer that no browser waits for.
    #[must_use]
    pub const fn alone(answer: Consented) -> Self {
        Self {
            answer,
            page: None,
            server: None,
        }
    }
}

/// Shows or opens the address and waits.
///
/// # Errors
/// The time is up, somebody interrupted, or nothing can bring the answer.
pub async fn answer(context: &Context, question: &Question, url: &str, way: Way, manner: Manner) -> CliResult<Came> {
    let mut interrupted = std::pin::pin!(interrupted()?);
    let printer = &context.printer;
    let mut server = match &way {
        Way::Loopback { port, path } => listen(printer, question, *port, path).await?,
        Way::Relay(_) | Way::Paste => None,
    };
    let absent = browser::absent(&context.environment);
    let opened = !manner.no_browser && absent.is_none() && browser::open(url);
    introduce(printer, question, url, opened, absent.filter(|_| !manner.no_browser));
    let worker = match way {
        Way::Relay(worker) => Some(worker),
        Way::Loopback { .. } | Way::Paste => None,
    };
    let reachable = server.is_some() || worker.is_some();
    let mut lines = if opened && reachable {
        None
    } else {
        printer.talk("When the browser shows a page that does not load, paste its address here.");
        Some(stdin_lines())
    };
    let ends = Instant::now() + manner.patience;
    // Asking the worker takes the answer away from it: a question under way must not be dropped.
    let mut relayed = std::pin::pin!(from_worker(worker.as_ref(), question));
    let waited = loop {
        let pasting = lines.is_some();
        tokio::select! {
            arrival = arrival(&mut server) => {
                break Ok(Came { answer: arrival.0, page: Some(arrival.1), server: None });
            }
            answer = &mut relayed => break answer.map(Came::alone),
            line = next_line(&mut lines) => match (line, reachable) {
                (Some(line), _) => match accept(question, &line) {
                    Ok(answer) => break Ok(Came::alone(answer)),
                    Err(error) => printer.error(&error, false),
                },
                (None, true) => lines = None,
                (None, false) => break Err(nobody_can_answer(question)),
            },
            () = &mut interrupted => break Err(CliError::outcome("interrupted: nothing was connected")),
            () = count(printer, ends, pasting) => break Err(time_is_up(question, manner.patience)),
        }
    };
    printer.fleeting("");
    match (waited, server) {
        (Ok(came), server) => Ok(Came { server, ..came }),
        (Err(error), Some(server)) => {
            server.close().await;
            Err(error)
        }
        (Err(error), None) => Err(error),
    }
}

/// The server, or `None` when somebody else has the port.
async fn listen(printer: &Printer, question: &Question, port: u16, path: &str) -> CliResult<Option<Callback>> {
    let uri: Option<Uri> = question.redirect_uri.parse().ok();
    let expected = Expected {
        path: path.to_owned(),
        host: uri.and_then(|uri| uri.authority().map(ToString::to_string)),
        state: question.state.clone(),
    };
    match Callback::listen(port, expected).await {
        Ok(server) => Ok(Some(server)),
        Err(error) => {
            printer.warn(format!(
                "port {port} cannot be listened on ({error}): another program has it"
            ));
            Ok(None)
        }
    }
}

fn introduce(printer: &Printer, question: &Question, url: &str, opened: bool, absent: Option<NoBrowser>) {
    let title = question.platform.title();
    match (opened, absent) {
        (true, _) => printer.talk(format!(
            "Your browser asks for consent at {title}. If it does not open, go to"
        )),
        (false, Some(NoBrowser::Remote)) => printer.talk(format!(
            "This is a session from afar, so no browser is opened. To consent at {title}, open"
        )),
        (false, Some(NoBrowser::Headless)) => {
            printer.talk(format!(
                "There is no screen, so no browser is opened. To consent at {title}, open"
            ));
        }
        (false, None) => printer.talk(format!("To consent at {title}, open")),
    }
    printer.talk(format!("\n  {}\n", printer.paint_err(Style::Strong, url)));
}

/// What a pasted line answers, if it answers this question.
fn accept(question: &Question, line: &str) -> CliResult<Consented> {
    match pasted(line)? {
        (Some(state), _) if state != question.state => Err(CliError::input(
            "this address answers another question, perhaps one of an earlier try",
        )
        .hint("open the address above, consent, and paste what the browser shows then")),
        (_, answer) => Ok(answer),
    }
}

async fn arrival(server: &mut Option<Callback>) -> (Consented, oneshot::Sender<Page>) {
    match server {
        Some(server) => {
            let arrival = server.arrival().await;
            (arrival.answer, arrival.page)
        }
        None => std::future::pending().await,
    }
}

async fn from_worker(worker: Option<&Worker>, question: &Question) -> CliResult<Consented> {
    let Some(worker) = worker else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        match relay::fetch(worker, &question.state).await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            // The worker itself says that it will never have it; a network that is away comes back.
            Err(error) if error.problem.is_some() => return Err(error),
            Err(_) => {}
        }
    }
}

/// Lines of stdin, read beside the runtime: a read of the terminal cannot be called off, and must not keep the program.
fn stdin_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn next_line(lines: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

/// Completes when the time is up; shows what is left of it, seldom while a person may be typing.
async fn count(printer: &Printer, ends: Instant, pasting: bool) {
    let every = Duration::from_secs(if pasting { 20 } else { 1 });
    loop {
        let left = ends.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let secs = left.as_millis().div_ceil(1_000);
        printer.fleeting(&format!(
            "waiting for your consent: {}:{:02} left (Ctrl-C ends it) ",
            secs / 60,
            secs % 60
        ));
        tokio::time::sleep(left.min(every)).await;
    }
}

/// Completes when somebody wants the command to end.
fn interrupted() -> CliResult<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).map_err(|error| CliError::outcome(format!("signals cannot be received: {error}")));
    let (mut int, mut term) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hup = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
            _ = hup.recv() => {}
        }
    })
}

fn time_is_up(question: &Question, patience: Duration) -> CliError {
    let secs = patience.as_secs();
    let within = match (secs / 60, secs % 60) {
        (1, 0) => "a minute".to_owned(),
        (minutes, 0) => format!("{minutes} minutes"),
        _ => format!("{secs} s"),
    };
    CliError::outcome(format!(
        "nobody consented at {} within {within}: nothing was connected",
        question.platform.title()
    ))
    .hint(format!("run `psn account connect {}` again", question.platform))
}

fn nobody_can_answer(question: &Question) -> CliError {
    CliError::outcome("the answer cannot come back: nothing listens here, and stdin has ended").hint(format!(
        "free the port, or run `psn account connect {} --no-wait` and finish with `--complete`",
        question.platform
    ))
}
