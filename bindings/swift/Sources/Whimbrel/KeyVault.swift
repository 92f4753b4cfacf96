import Foundation
import WhimbrelCore

/// Keeps small secrets by name, for the app and for one ledger: keys of endpoints, and what the ledger is sealed with. It is called
/// from any thread and should answer within milliseconds; what `put` has kept survives a crash. A function that throws anything
/// but a `KeyVaultError` counts as a failure without a code.
public typealias KeyVault = WhimbrelCore.KeyVault
/// A key vault did not do what it was asked: `Locked`, or `Failed` with a short code that holds no secret.
public typealias KeyVaultError = WhimbrelCore.KeyVaultError
/// What protects the secrets of a vault, from the weakest to the strongest.
public typealias VaultLevel = WhimbrelCore.VaultLevel

/// A vault that forgets everything with the process. For tests: a ledger cannot be opened again without its vault.
public final class MemoryKeyVault: KeyVault, @unchecked Sendable {
    private let lock = NSLock()
    private var secrets: [String: Data] = [:]

    public init() {}

    public func get(name: String) -> Data? { lock.withLock { secrets[name] } }

    public func put(name: String, secret: Data) { lock.withLock { secrets[name] = secret } }

    public func delete(name: String) { lock.withLock { _ = secrets.removeValue(forKey: name) } }

    public func level() -> VaultLevel { .memory }
}

#if canImport(Security)
    import Security

    /// A vault in the system's keychain. Its secrets stay on this device, and can be read once it was unlocked after a restart.
    public final class KeychainVault: KeyVault, Sendable {
        private let service: String

        /// `service` keeps the secrets of one ledger apart from those of another.
        public init(service: String) { self.service = service }

        public func get(name: String) throws -> Data? {
            var query = query(name)
            query[kSecReturnData] = true
            var found: CFTypeRef?
            let status = SecItemCopyMatching(query as CFDictionary, &found)
            if status == errSecItemNotFound { return nil }
            try check(status)
            guard let secret = found as? Data else { throw KeyVaultError.Failed(code: "no-data") }
            return secret
        }

        public func put(name: String, secret: Data) throws {
            let update = [kSecValueData: secret] as CFDictionary
            let status = SecItemUpdate(query(name) as CFDictionary, update)
            guard status == errSecItemNotFound else { return try check(status) }
            var item = query(name)
            item[kSecValueData] = secret
            item[kSecAttrAccessible] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
            try check(SecItemAdd(item as CFDictionary, nil))
        }

        public func delete(name: String) throws {
            let status = SecItemDelete(query(name) as CFDictionary)
            if status != errSecItemNotFound { try check(status) }
        }

        public func level() -> VaultLevel { .software }

        private func query(_ name: String) -> [CFString: Any] {
            [
                kSecClass: kSecClassGenericPassword, kSecAttrService: service, kSecAttrAccount: name,
                kSecUseDataProtectionKeychain: true,
            ]
        }

        private func check(_ status: OSStatus) throws {
            switch status {
            case errSecSuccess: return
            case errSecInteractionNotAllowed: throw KeyVaultError.Locked
            default: throw KeyVaultError.Failed(code: "osstatus.\(status)")
            }
        }
    }
#endif
