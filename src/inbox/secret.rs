//! The shared secret in the webhook's URL: the only proof of origin, because amoCRM signs nothing.

use std::hint::black_box;

use secrecy::{ExposeSecret as _, SecretString};

/// Whether `given` is one of `secrets`, or none is asked for. Takes the same time however much of it is
/// right, and whichever of them it is.
pub(super) fn is_one_of(secrets: &[SecretString], given: Option<&str>) -> bool {
    let given = given.unwrap_or_default().as_bytes();
    let matched = secrets
        .iter()
        .fold(false, |matched, secret| matched | equal(secret.expose_secret().as_bytes(), given));
    matched || secrets.is_empty()
}

fn equal(left: &[u8], right: &[u8]) -> bool {
    let difference = left.iter().zip(right).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
    left.len() == right.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::is_one_of;

    #[test]
    fn one_of_the_secrets_opens_and_nothing_else_does() {
        let secrets: Vec<SecretString> = ["old secret", "new secret"].map(Into::into).into();
        assert!(is_one_of(&secrets, Some("old secret")) && is_one_of(&secrets, Some("new secret")));
        for wrong in
            [None, Some(""), Some("old"), Some("old secret,new secret"), Some("Old secret")]
        {
            assert!(!is_one_of(&secrets, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn without_a_secret_everything_is_taken() {
        assert!(is_one_of(&[], None) && is_one_of(&[], Some("anything")));
    }
}
