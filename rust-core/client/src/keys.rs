//! The keys of endpoints in the app's vault.

use whimbrel_network::{ID_BYTES_MAX, Secret, SecretError};
use whimbrel_store::{KeyVault, SecretBytes};

use crate::ClientError;

/// The key of an endpoint, if one was stored. Blocks.
pub(crate) fn read(vault: &dyn KeyVault, endpoint_id: &str) -> Result<Option<Secret>, ClientError> {
    read_at(vault, &key_name(endpoint_id))
}

/// The key with a name of the vault's, if one was stored. Blocks.
pub(crate) fn read_at(vault: &dyn KeyVault, name: &str) -> Result<Option<Secret>, ClientError> {
    let Some(bytes) = vault.get(name)? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes.expose().to_vec()).map_err(|_| SecretError::Character)?;
    Ok(Some(Secret::new(text)?))
}

/// Stores or forgets the key of an endpoint. Blocks.
pub(crate) fn write(vault: &dyn KeyVault, endpoint_id: &str, key: Option<String>) -> Result<(), ClientError> {
    write_at(vault, &key_name(endpoint_id), key)
}

/// Stores or forgets the key with a name of the vault's. Blocks.
pub(crate) fn write_at(vault: &dyn KeyVault, name: &str, key: Option<String>) -> Result<(), ClientError> {
    match key {
        Some(key) => {
            Secret::new(key.clone())?;
            vault.put(name, &SecretBytes::new(key.into_bytes()))?;
        }
        None => vault.delete(name)?,
    }
    Ok(())
}

/// The name under which the vault stores an endpoint's key: `key.` and the endpoint's id. If the vault does not accept the id as a name,
/// because it is long or contains capital letters, its hash is used instead, so that no two endpoints share a key. For a text that cannot
/// be an endpoint's id, the result is a name that the vault refuses.
#[must_use]
pub fn key_name(endpoint_id: &str) -> String {
    let name = format!("key.{endpoint_id}");
    let is_id = endpoint_id.len() <= ID_BYTES_MAX as usize
        && endpoint_id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    match whimbrel_store::check_name(&name) {
        Err(_) if is_id => format!("key-{}", &blake3::hash(endpoint_id.as_bytes()).to_hex()[..32]),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_has_a_key_of_its_own() {
        let (long, longer) = ("e".repeat(63), "e".repeat(64));
        let ids = ["house", "House", "h_ouse", "HOUSE", "a-b", "aB", "a_b", &long, &longer];
        let names: std::collections::BTreeSet<_> = ids.iter().map(|id| key_name(id)).collect();
        assert_eq!(names.len(), ids.len());
        assert!(names.iter().all(|name| whimbrel_store::check_name(name).is_ok()));
        for no_id in ["../house", "", "two words", &"e".repeat(65)] {
            assert!(
                no_id.is_empty() || whimbrel_store::check_name(&key_name(no_id)).is_err(),
                "{no_id}"
            );
        }
    }
}
