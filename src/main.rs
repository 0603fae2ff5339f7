//! The `proxylint` program: the exit code, and nothing else.

fn main() -> std::process::ExitCode {
    proxylint::cli::run()
}
