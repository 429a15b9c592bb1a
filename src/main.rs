//! The `psn` program: everything a laptop does.

#[cfg(not(target_arch = "wasm32"))]
#[tokio::main]
async fn main() -> std::process::ExitCode {
    psn::cli::main().await
}

#[cfg(target_arch = "wasm32")]
fn main() {}
