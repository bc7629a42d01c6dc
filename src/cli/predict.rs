//! stub
#[derive(clap::Args)]
pub struct PredictArgs {}
pub fn run(_args: PredictArgs) -> anyhow::Result<std::process::ExitCode> {
    Ok(std::process::ExitCode::SUCCESS)
}
