/// No server listens here: tests have no right to low ports, and no service uses this one.
pub(crate) const NOBODY: &str = "127.0.0.1:1";
