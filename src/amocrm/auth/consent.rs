//! The consent of an amoCRM administrator, as far as amoCRM's addresses are concerned.

use url::Url;

use crate::amocrm::settings::BaseUrl;

/// Domains that hold accounts. A code is spent, with the client secret, at a host of one of these or nowhere.
const ACCOUNT_DOMAINS: [&str; 3] = ["amocrm.ru", "amocrm.com", "kommo.com"];

/// Where an administrator of the account at `base` gives consent; amoCRM echoes `state` to the callback.
pub(crate) fn consent_link(base: &BaseUrl, client_id: &str, state: &str) -> Url {
    let mut url = if base.is_local() {
        base.at("/oauth")
    } else {
        let kommo = !base.authority().ends_with(".amocrm.ru");
        let host = if kommo { "www.kommo.com" } else { "www.amocrm.ru" };
        let mut url = base.as_url().clone();
        // Neither can fail for these constants; if it did, the account's own host has no such page.
        let _ = url.set_host(Some(host));
        let _ = url.set_port(None);
        url.set_path("/oauth");
        url
    };
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("state", state)
        .append_pair("mode", "popup");
    url
}

/// Whether `referer`, which any caller can write into a callback, is the account that we are configured for.
pub(in crate::amocrm) fn is_our_account(base: &BaseUrl, referer: &str) -> bool {
    (base.is_local() || is_account_host(referer)) && referer == base.authority()
}

/// Whether `host` can be an amoCRM account: one label below a known domain, and not the vendor's own site.
pub(super) fn is_account_host(host: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let Some((label, domain)) = host.split_once('.') else { return false };
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| word(byte) || byte == b'-')
        && !label.starts_with('-')
        && label != "www"
        && ACCOUNT_DOMAINS.contains(&domain)
}

#[cfg(test)]
mod tests {
    use super::{BaseUrl, consent_link, is_account_host, is_our_account};

    fn base(url: &str) -> BaseUrl {
        BaseUrl::new(url.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_link_leads_to_the_vendors_site() {
        for (account, link) in [
            ("https://a.amocrm.ru", "https://www.amocrm.ru/oauth?client_id=i+d&state=s&mode=popup"),
            ("https://a.kommo.com", "https://www.kommo.com/oauth?client_id=i+d&state=s&mode=popup"),
            ("http://127.0.0.1:81", "http://127.0.0.1:81/oauth?client_id=i+d&state=s&mode=popup"),
        ] {
            assert_eq!(consent_link(&base(account), "i d", "s").as_str(), link);
        }
    }

    #[test]
    fn only_account_hosts_are_accounts() {
        for good in ["example.amocrm.ru", "a.kommo.com", "1-2.amocrm.com"] {
            assert!(is_account_host(good), "{good}");
        }
        for bad in [
            "www.amocrm.ru",
            "amocrm.ru",
            "evil.example",
            "a.b.amocrm.ru",
            "a.amocrm.ru.evil.example",
            "a.amocrm.ru:443",
            "a.amocrm.ru/x",
            "user@a.amocrm.ru",
            "-a.amocrm.ru",
            "A.amocrm.ru",
            "",
            ".amocrm.ru",
            "a.amocrm.ru\n",
        ] {
            assert!(!is_account_host(bad), "{bad:?}");
        }
    }

    #[test]
    fn another_account_is_not_ours() {
        let ours = base("https://example.amocrm.ru");
        assert!(is_our_account(&ours, "example.amocrm.ru"));
        assert!(!is_our_account(&ours, "other.amocrm.ru"));
        assert!(!is_our_account(&ours, "127.0.0.1:81"));
        let local = base("http://127.0.0.1:81");
        assert!(is_our_account(&local, "127.0.0.1:81") && !is_our_account(&local, "127.0.0.1:82"));
    }
}
