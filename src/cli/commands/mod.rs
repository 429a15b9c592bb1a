//! One file per command; the compiler shows what a new one needs.

pub mod account;
pub mod assistant;
pub mod audit;
#[cfg(feature = "dev")]
pub mod bench;
pub mod calendar;
#[cfg(feature = "dev")]
pub mod demo;
pub mod deploy;
pub mod destroy;
#[cfg(feature = "dev")]
pub mod dev;
pub mod doctor;
pub mod export;
pub mod hub;
pub mod idea;
pub mod init;
pub mod keys;
pub mod media;
pub mod metrics;
pub mod migrate;
pub mod notify;
pub mod pages;
pub mod pause;
pub mod plan;
pub mod post;
pub mod secrets;
pub mod series;
pub mod settings;
pub mod suggest;
pub mod takeover;
pub mod task;
pub mod team;
pub mod token;

use crate::cli::Context;
use crate::cli::error::CliResult;
use clap::Subcommand;

/// The commands.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is consumed at once")]
pub enum Command {
    /// Write, schedule, watch and repair posts
    #[command(subcommand)]
    Post(post::PostCommand),
    /// Pictures, videos and documents for posts
    #[command(subcommand)]
    Media(media::MediaCommand),
    /// Stop publishing at once, of everything or of one account; the queue is kept
    Pause(pause::PauseArgs),
    /// Let what is paused go on, one post after the other
    Resume(pause::ResumeArgs),
    /// Accounts that posts go out from
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// What may become a post
    #[command(subcommand)]
    Idea(idea::IdeaCommand),
    /// What appears again and again
    #[command(subcommand)]
    Series(series::SeriesCommand),
    /// What is planned for a week
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// A week of posts and the times that are free
    Calendar(calendar::CalendarArgs),
    /// Where and how you are told what happens
    #[command(subcommand)]
    Notify(notify::NotifyCommand),
    /// What you set once, such as your time zone
    #[command(subcommand)]
    Settings(settings::SettingsCommand),
    /// Hubs: those of this clone, and another one
    #[command(subcommand)]
    Hub(hub::HubCommand),
    /// Who belongs to a hub, and how others come in
    #[command(subcommand)]
    Team(team::TeamCommand),
    /// Move over from the Trigger.dev program on the same database, or back
    #[command(after_help = takeover::EXAMPLES)]
    Takeover(takeover::TakeoverArgs),
    /// The keys that tokens are sealed with
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Chat assistants: how they reach the worker, and commands for them
    Assistant(assistant::AssistantArgs),
    /// Tokens for the API, for each person or program its own
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Who did what
    Audit(audit::AuditArgs),
    /// Tasks that the worker otherwise runs by itself
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// What posts have got, when they do best, and followers
    Metrics(metrics::MetricsArgs),
    /// Begin: the files that everything else works from
    Init(init::InitArgs),
    /// Bring the database up to date
    Migrate(migrate::MigrateArgs),
    /// Bring the worker of a hub to Cloudflare, or up to date
    Deploy(deploy::DeployArgs),
    /// What the worker has of the secrets in your files
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// See whether everything is well, and how to mend what is not
    Doctor(doctor::DoctorArgs),
    /// Write all data of a hub into a folder
    Export(export::ExportArgs),
    /// Take a hub's worker away
    Destroy(destroy::DestroyArgs),
    /// Print what a shell needs to complete the commands of psn
    #[command(after_help = pages::COMPLETION_EXAMPLES)]
    Completions(pages::CompletionsArgs),
    /// Print the manual page, or write one for each command
    #[command(after_help = pages::MAN_EXAMPLES)]
    Man(pages::ManArgs),
    /// Run the local stack until interrupted
    #[cfg(feature = "dev")]
    Dev(dev::DevArgs),
    /// Publish a thread on a stack of its own, kill the runtime in the middle, and count
    #[cfg(feature = "dev")]
    Demo(demo::DemoArgs),
    /// Measure the figures that the design promises, on a stack of its own
    #[cfg(feature = "dev")]
    Bench(bench::BenchArgs),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, context: &Context) -> CliResult {
        match self {
            Self::Post(command) => command.run(context).await,
            Self::Media(command) => command.run(context).await,
            Self::Pause(args) => pause::pause(context, args).await,
            Self::Resume(args) => pause::resume(context, args).await,
            Self::Account(command) => command.run(context).await,
            Self::Idea(command) => command.run(context).await,
            Self::Series(command) => command.run(context).await,
            Self::Plan(command) => command.run(context).await,
            Self::Calendar(args) => calendar::run(context, args).await,
            Self::Notify(command) => command.run(context).await,
            Self::Settings(command) => command.run(context).await,
            Self::Hub(command) => command.run(context).await,
            Self::Team(command) => command.run(context).await,
            Self::Takeover(args) => takeover::run(context, args).await,
            Self::Keys(command) => command.run(context).await,
            Self::Assistant(args) => assistant::run(context, &args).await,
            Self::Token(command) => command.run(context).await,
            Self::Audit(args) => audit::run(context, args).await,
            Self::Task(command) => command.run(context).await,
            Self::Metrics(args) => metrics::run(context, args).await,
            Self::Init(args) => init::run(context, args).await,
            Self::Migrate(args) => migrate::run(context, args).await,
            Self::Deploy(args) => deploy::run(context, args).await,
            Self::Secrets(command) => command.run(context).await,
            Self::Doctor(args) => doctor::run(context, args).await,
            Self::Export(args) => export::run(context, args).await,
            Self::Destroy(args) => destroy::run(context, args).await,
            Self::Completions(args) => pages::completions(context, args),
            Self::Man(args) => pages::man(context, args),
            #[cfg(feature = "dev")]
            Self::Dev(args) => dev::run(context, args).await,
            #[cfg(feature = "dev")]
            Self::Demo(args) => demo::run(context, args).await,
            #[cfg(feature = "dev")]
            Self::Bench(args) => bench::run(context, args).await,
        }
    }

    /// Whether an error is printed as the document of `--json`. The stack and the demo promise other lines.
    #[must_use]
    pub const fn promises_document(&self) -> bool {
        match self {
            #[cfg(feature = "dev")]
            Self::Dev(_) | Self::Demo(_) => false,
            Self::Completions(_) => false,
            _ => true,
        }
    }
}
