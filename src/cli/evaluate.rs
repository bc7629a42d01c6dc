//! stub
#[derive(clap::Args)]
pub struct EvaluateArgs {}
pub fn run(_args: EvaluateArgs) -> anyhow::Result<()> {
    Ok(())
}
