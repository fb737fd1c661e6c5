//! `rehearse`: prove a database migration before it is real.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    rehearsal::cli::main().await
}
