//! The signature of amoCRM's notice that the integration was switched off.

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// Whether `signature` proves that the notice is amoCRM's, of our integration in `account_id`: the hexadecimal HMAC-SHA256 of
/// `client_id|account_id` under the client secret.
///
/// It carries no time, so that a copy of it can be sent again: what it says must be confirmed.
pub(in crate::amocrm) fn is_signed(
    secret: &SecretString,
    client_id: &str,
    account_id: &str,
    signature: &str,
) -> bool {
    let Ok(signature) = hex::decode(signature) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        return false;
    };
    mac.update(format!("{client_id}|{account_id}").as_bytes());
    // Compares in constant time.
    mac.verify_slice(&signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_signed;

    #[test]
    fn only_amocrms_own_signature_is_accepted() {
        // printf 'id|42' | openssl dgst -sha256 -hmac secret
        let right = "6f45db42161e65a512b149d21842f1176c148d707c725a43ded23b2ea4e48cfc";
        let secret = "secret".into();
        assert!(is_signed(&secret, "id", "42", right));
        assert!(is_signed(&secret, "id", "42", &right.to_uppercase()));
        assert!(!is_signed(&secret, "id", "43", right));
        assert!(!is_signed(&secret, "other", "42", right));
        assert!(!is_signed(&"Secret".into(), "id", "42", right));
        for wrong in ["", "zz", &right[2..], &format!("{right}00")] {
            assert!(!is_signed(&secret, "id", "42", wrong), "{wrong}");
        }
    }
}
