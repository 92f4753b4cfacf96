// scripts/bindings-values.py writes this from bindings/ffi/src/task.rs: change that, then run  make bindings.

/// What has to be given with a text.
public enum TaskNeeds: Sendable, Hashable, CaseIterable {
    /// Nothing.
    case nothing
    /// The choices: a `Form` of choices.
    case choices
    /// The fields: a `Form` with a JSON schema of an object.
    case schema
}

/// What is known of a task.
public struct TaskInfo: Sendable, Equatable {
    /// Its name, by which policies and learning know it too.
    public var name: String
    /// What it does, in a sentence for people.
    public var description: String
    /// The languages of its examples, as codes like `en`.
    public var languages: [String]
    /// What has to be given with a text.
    public var needs: TaskNeeds
    /// The longest text that it takes, in bytes of UTF-8.
    public var textBytesMax: Int

    /// Takes every value; those with a default can be left out.
    public init(
        name: String,
        description: String,
        languages: [String],
        needs: TaskNeeds,
        textBytesMax: Int
    ) {
        self.name = name
        self.description = description
        self.languages = languages
        self.needs = needs
        self.textBytesMax = textBytesMax
    }
}

/// Options for a task.
public struct TaskOptions: Sendable, Equatable {
    /// The privacy class of the text as far as the app knows it. Findings in the text can only raise it.
    public var privacyClass: PrivacyClass
    /// The deadline for the whole answer. The default is the policy's.
    public var deadline: Duration?
    /// Whether it is asked again even if the answer to exactly this text is remembered.
    public var fresh: Bool

    /// Takes every value; those with a default can be left out.
    public init(
        privacyClass: PrivacyClass = .public,
        deadline: Duration? = nil,
        fresh: Bool = false
    ) {
        self.privacyClass = privacyClass
        self.deadline = deadline
        self.fresh = fresh
    }
}
