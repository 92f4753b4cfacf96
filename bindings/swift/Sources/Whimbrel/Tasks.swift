internal import WhimbrelCore

/// One kind of work with a text that even a small model does well: with examples, and held to a form. `Tasks` has those
/// that come with the product.
public final class TextTask: Sendable {
    let core: WhimbrelCore.TextTask

    /// What is known of it.
    public let info: TaskInfo

    init(_ core: WhimbrelCore.TextTask) {
        self.core = core
        info = core.info().toPublic()
    }

    /// Reads a task of the app's own: a document like those in `shared-models/tasks`. Fails with `invalidOption`, which
    /// says what is wrong and where.
    public static func read(_ document: String) throws -> TextTask {
        TextTask(try translated { try WhimbrelCore.TextTask.read(document: document) })
    }

    /// The task with the choices or the fields that it asks for (`TaskInfo.needs`). Fails with `invalidOption` if the
    /// form cannot be used, or the task takes another one or none.
    public func withForm(_ form: Form) throws -> TextTask {
        TextTask(try translated { try core.withForm(form: form.toCore()) })
    }
}

/// The tasks that come with the product.
public enum Tasks {
    /// All of them.
    public static let all: [TextTask] = builtInTasks().map(TextTask.init)

    /// Gives a text a short title.
    public static var title: TextTask { named("title") }

    /// Lists the key points of a text as JSON: `{"points": […]}`.
    public static var points: TextTask { named("points") }

    /// Suggests three replies to a message as JSON: `{"yes": …, "no": …, "ask": …}`.
    public static var replies: TextTask { named("replies") }

    /// Says whether a text is `positive` or `negative`.
    public static var tone: TextTask { named("tone") }

    /// Turns a list as people write it into JSON: `[{"item": …, "amount": …}]`.
    public static var tidy: TextTask { named("tidy") }

    /// Rewrites a text shorter.
    public static var shorten: TextTask { named("shorten") }

    /// Sorts a text into one of the categories.
    public static func category(_ categories: [String]) throws -> TextTask {
        try named("category").withForm(.choice(choices: categories))
    }

    /// Fills in a form from a text. The schema is the JSON schema of an object, whose properties are the fields.
    public static func fill(_ schema: String) throws -> TextTask {
        try named("fill").withForm(.jsonSchema(schema: schema))
    }

    /// Fills in the fields of a type from a text: `model.task(try Tasks.fill(.of(Person.self)), text).value(of: Person.self)`.
    public static func fill(_ schema: Schema) throws -> TextTask { try fill(schema.json) }

    private static func named(_ name: String) -> TextTask { all.first { $0.info.name == name }! }
}
