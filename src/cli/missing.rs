//! The commands that a program without the feature `train` leaves out.

use std::ffi::OsStr;

const COMMANDS: [&str; 6] = ["evaluate", "prepare", "train", "calibrate", "experiment", "bench"];

/// What `mien --help` says of them.
pub const WHICH: &str = "This build is without evaluate, prepare, train, calibrate, experiment and bench. With them: cargo run --release --";

/// What to do for a command that this program does not have.
pub fn explain(command: &OsStr) -> anyhow::Error {
    let command = command.to_string_lossy();
    if COMMANDS.contains(&&*command) {
        anyhow::anyhow!("{command} is not in this build. Run it with: cargo run --release -- {command} ...")
    } else {
        anyhow::anyhow!("there is no command {command}; `mien --help` names those there are")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_another_build_is_explained() {
        for command in COMMANDS {
            assert!(WHICH.contains(command));
            assert!(explain(command.as_ref()).to_string().contains(&format!("--release -- {command}")));
        }
        assert!(explain("predikt".as_ref()).to_string().contains("no command predikt"));
    }
}
