import Foundation
internal import WhimbrelCore

/// A type that an answer or the arguments of a tool can be a value of: it says what its JSON looks like, and is decoded
/// from it.
///
/// Texts, numbers, truth values, arrays, dictionaries with texts as keys and optionals of such types are respondable, and
/// enums of texts that are `CaseIterable` need nothing more than to say that they are.
public protocol Respondable: Decodable, Sendable {
    /// The schema of its JSON.
    static var schema: Schema { get }
}

/// The JSON schema of a type: the form that holds an answer to it.
///
/// A model does not read its form. `described` says what a field is, and `fields` lists the fields for a prompt.
public struct Schema: Sendable {
    indirect enum Shape: Sendable {
        case string(Limits)
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>?)
        case boolean
        case choice([String])
        case array(Schema, Limits)
        case dictionary(Schema, Limits)
        case object([(name: String, schema: Schema)])
        case any([Schema])
        case type(ObjectIdentifier, name: String, @Sendable () -> Schema)
    }

    /// How much there is at least and at most.
    struct Limits: Sendable {
        let min: Int
        let max: Int?
    }

    let shape: Shape
    private(set) var details: String?
    private(set) var isOptional = false

    private init(_ shape: Shape) { self.shape = shape }

    /// A text. Without `maxLength` it may go on until `maxTokens` ends the answer, which is then no value.
    public static func string(minLength: Int = 0, maxLength: Int? = nil) -> Schema {
        Schema(.string(Limits(min: minLength, max: maxLength)))
    }

    /// A whole number, by default in the range in which all readers of JSON agree: ±9007199254740991.
    public static func integer(in range: ClosedRange<Int> = -integerMax...integerMax) -> Schema {
        Schema(.integer(range))
    }

    /// A number.
    public static func number(in range: ClosedRange<Double>? = nil) -> Schema { Schema(.number(range)) }

    /// `true` or `false`.
    public static var boolean: Schema { Schema(.boolean) }

    /// One of several texts.
    public static func choice(_ choices: [String]) -> Schema { Schema(.choice(choices)) }

    /// One of the cases of an enum.
    public static func choice<Value: CaseIterable & RawRepresentable>(of type: Value.Type) -> Schema
    where Value.RawValue == String {
        choice(type.allCases.map(\.rawValue))
    }

    /// A list. Without `maxItems` it may go on until `maxTokens` ends the answer, which is then no value.
    public static func array(of items: Schema, minItems: Int = 0, maxItems: Int? = nil) -> Schema {
        Schema(.array(items, Limits(min: minItems, max: maxItems)))
    }

    /// A dictionary with texts as keys.
    public static func dictionary(of items: Schema, minItems: Int = 0, maxItems: Int? = nil) -> Schema {
        Schema(.dictionary(items, Limits(min: minItems, max: maxItems)))
    }

    /// An object with these properties, in this order.
    public static func object(_ properties: KeyValuePairs<String, Schema>) -> Schema {
        Schema(.object(properties.map { (name: $0.key, schema: $0.value) }))
    }

    /// One of several.
    public static func any(of schemas: [Schema]) -> Schema { Schema(.any(schemas)) }

    /// The schema of a type, which may contain itself.
    public static func of<Value: Respondable>(_ type: Value.Type) -> Schema {
        Schema(.type(ObjectIdentifier(type), name: "\(type)") { type.schema })
    }

    /// The same with a description, such as `where the person lives`.
    public func described(_ details: String) -> Schema {
        var schema = self
        schema.details = details
        return schema
    }

    /// The same as an optional: a property may be left out, and anything else may be `null`.
    public func optional() -> Schema {
        var schema = self
        schema.isOptional = true
        return schema
    }

    /// The schema. Fails with `unsupportedType` if nothing can be so.
    public var json: String {
        get throws {
            var writer = SchemaWriter()
            return try writer.write(self)
        }
    }

    /// The form of an answer.
    public var form: Form { get throws { .jsonSchema(schema: try json) } }

    /// The fields of the type, or of the items if it is a list, each with its description in brackets: `name, town (where
    /// the person lives)`. A model does not read its form, so a prompt should say what is wanted.
    public var fields: String { get throws { schemaFields(schema: try json) } }

    /// The largest whole number up to which every reader of JSON agrees (RFC 8259, section 6).
    public static let integerMax = 9_007_199_254_740_991
}

extension Respondable where Self: CaseIterable & RawRepresentable, RawValue == String {
    public static var schema: Schema { .choice(of: Self.self) }
}

extension String: Respondable {
    public static var schema: Schema { .string() }
}

extension Int: Respondable {
    public static var schema: Schema { .integer() }
}

extension Double: Respondable {
    public static var schema: Schema { .number() }
}

extension Bool: Respondable {
    public static var schema: Schema { .boolean }
}

extension Array: Respondable where Element: Respondable {
    public static var schema: Schema { .array(of: .of(Element.self)) }
}

extension Dictionary: Respondable where Key == String, Value: Respondable {
    public static var schema: Schema { .dictionary(of: .of(Value.self)) }
}

extension Optional: Respondable where Wrapped: Respondable {
    public static var schema: Schema { .of(Wrapped.self).optional() }
}

/// Writes one schema. Types become definitions, so that they may contain themselves.
private struct SchemaWriter {
    private var names: [ObjectIdentifier: String] = [:]
    private var definitions: [String] = []

    mutating func write(_ schema: Schema) throws -> String {
        let root = try keywords(of: schema, at: "")
        if definitions.isEmpty { return "{\(root)}" }
        return #"{\#(root),"$defs":{\#(definitions.joined(separator: ","))}}"#
    }

    private mutating func keywords(of schema: Schema, at place: String, asProperty: Bool = false) throws -> String {
        var keywords = try keywords(of: schema.shape, at: place)
        if schema.isOptional, !asProperty { keywords = #""anyOf":[{\#(keywords)},{"type":"null"}]"# }
        if let details = schema.details { keywords += #","description":\#(quoted(details))"# }
        return keywords
    }

    private mutating func keywords(of shape: Schema.Shape, at place: String) throws -> String {
        switch shape {
        case .string(let limits): return try #""type":"string""# + between(limits, "Length", place)
        case .integer(let range):
            return #""type":"integer","minimum":\#(range.lowerBound),"maximum":\#(range.upperBound)"#
        case .number(nil): return #""type":"number""#
        case .number(let range?):
            guard range.lowerBound.isFinite, range.upperBound.isFinite else {
                throw refused(place, "its range has no end")
            }
            return #""type":"number","minimum":\#(range.lowerBound),"maximum":\#(range.upperBound)"#
        case .boolean: return #""type":"boolean""#
        case .choice(let choices):
            if choices.isEmpty { throw refused(place, "there is nothing to choose") }
            return #""enum":[\#(choices.map(quoted).joined(separator: ","))]"#
        case .array(let items, let limits):
            let items = try keywords(of: items, at: place + "[]")
            return try #""type":"array","items":{\#(items)}"# + between(limits, "Items", place)
        case .dictionary(let items, let limits):
            let items = try keywords(of: items, at: place + "[]")
            return try #""type":"object","additionalProperties":{\#(items)}"# + between(limits, "Properties", place)
        case .object(let properties): return try object(properties, at: place)
        case .any(let schemas):
            if schemas.isEmpty { throw refused(place, "there is nothing to choose") }
            let branches = try schemas.map { "{\(try keywords(of: $0, at: place))}" }
            return #""anyOf":[\#(branches.joined(separator: ","))]"#
        case .type(let id, let name, let schema): return try reference(id, name, schema)
        }
    }

    private mutating func object(_ properties: [(name: String, schema: Schema)], at place: String) throws -> String {
        var written: [String] = []
        for (name, schema) in properties {
            let inside = place.isEmpty ? name : "\(place).\(name)"
            if properties.count(where: { $0.name == name }) > 1 { throw refused(inside, "the name is there twice") }
            written.append("\(quoted(name)):{\(try keywords(of: schema, at: inside, asProperty: true))}")
        }
        let required = properties.filter { !$0.schema.isOptional }.map { quoted($0.name) }
        return #""type":"object","properties":{\#(written.joined(separator: ","))},"#
            + #""required":[\#(required.joined(separator: ","))],"additionalProperties":false"#
    }

    private mutating func reference(
        _ id: ObjectIdentifier,
        _ name: String,
        _ schema: () -> Schema
    ) throws -> String {
        if let known = names[id] { return reference(to: known) }
        let short = name.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
        var unused = short
        var number = 1
        while names.values.contains(unused) {
            number += 1
            unused = "\(short)\(number)"
        }
        // The name is known from now on: what is inside may refer to it.
        names[id] = unused
        definitions.append("\(quoted(unused)):{\(try keywords(of: schema(), at: name))}")
        return reference(to: unused)
    }

    private func reference(to name: String) -> String { "\"$ref\":\"#/$defs/\(name)\"" }

    private func between(_ limits: Schema.Limits, _ what: String, _ place: String) throws -> String {
        if limits.min < 0 || limits.max.map({ $0 < limits.min }) == true {
            throw refused(place, "its limits exclude everything")
        }
        let most = limits.max.map { ",\"max\(what)\":\($0)" } ?? ""
        return ",\"min\(what)\":\(limits.min)" + most
    }

    private func refused(_ place: String, _ reason: String) -> WhimbrelError {
        .unsupportedType(place: place, reason: reason)
    }
}

/// A text as JSON.
private func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    // Every text is JSON: only numbers that are none could fail.
    return String(decoding: (try? encoder.encode(text)) ?? Data("\"\"".utf8), as: UTF8.self)
}
