import Foundation
internal import WhimbrelCore

/// A call to a key vault failed.
public enum KeyVaultError: Error, Sendable, Equatable {
    /// The system's key store is locked, for example before the first unlock after a restart. A later call may succeed.
    case locked
    /// The system's key store has given up its key, for example because the phone's lock was removed. The secrets are
    /// lost for good.
    case invalidated
    /// Another failure, with a short error code of the system that contains no secret.
    case failed(code: String)
}

/// Stores small secrets by name for the app and one store: the keys of endpoints, and those that seal the ledger and
/// conversations. It is called from any thread and should answer within milliseconds. Every function may throw a `KeyVaultError`; any
/// other error counts as a failure without a code.
public protocol KeyVault: Sendable {
    /// Returns the secret with this name, or `nil` if there is none. Throws if the secret cannot be read.
    func get(name: String) throws -> Data?

    /// Stores a secret, replacing the one with this name. When it has returned, the secret survives a crash.
    func put(name: String, secret: Data) throws

    /// Deletes a secret. Succeeds if there is none.
    func delete(name: String) throws

    /// How the secrets are protected.
    func level() throws -> VaultLevel
}

/// A vault whose content is lost with the process. For tests: a store cannot be opened again without its vault.
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

    /// A vault in the system's keychain. Its secrets stay on this device, and can be read after the first unlock
    /// following a restart.
    public final class KeychainVault: KeyVault, Sendable {
        private let service: String

        /// `service` separates the secrets of one ledger from those of another.
        public init(service: String) { self.service = service }

        public func get(name: String) throws -> Data? {
            var query = query(name)
            query[kSecReturnData] = true
            var found: CFTypeRef?
            let status = SecItemCopyMatching(query as CFDictionary, &found)
            if status == errSecItemNotFound { return nil }
            try check(status)
            guard let secret = found as? Data else { throw KeyVaultError.failed(code: "no-data") }
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
            case errSecInteractionNotAllowed: throw KeyVaultError.locked
            default: throw KeyVaultError.failed(code: "osstatus.\(status)")
            }
        }
    }
#endif

/// An app's vault, as the core sees it.
final class ForeignVault: WhimbrelCore.KeyVault {
    private let vault: any KeyVault

    init(_ vault: any KeyVault) { self.vault = vault }

    func get(name: String) throws -> Data? { try answered { try vault.get(name: name) } }

    func put(name: String, secret: Data) throws { try answered { try vault.put(name: name, secret: secret) } }

    func delete(name: String) throws { try answered { try vault.delete(name: name) } }

    func level() throws -> WhimbrelCore.VaultLevel { try answered { try vault.level().toCore() } }

    private func answered<Value>(_ call: () throws -> Value) throws -> Value {
        do { return try call() } catch let error as KeyVaultError {
            switch error {
            case .locked: throw WhimbrelCore.KeyVaultError.Locked
            case .invalidated: throw WhimbrelCore.KeyVaultError.Invalidated
            case .failed(let code): throw WhimbrelCore.KeyVaultError.Failed(code: code)
            }
        }
    }
}
