import Mneme

/// `mneme policy`: the policy that counts for a tenant, as two sentences.
extension PolicyOperation: TextRendering {
    /// Whose policy it is, and what it says.
    static func rendered(_ value: JSONValue) -> String {
        let redaction = Answer.strings(value, "redaction")
        let tenant = value["tenant"]?.string
        let treatment =
            ["hold": "quarantined until released", "mark": "recalled, and marked", "off": "recalled"][
                Answer.string(value, "protection")] ?? ""
        return """
            \(tenant.map { "Tenant \($0)" } ?? "All tenants without a policy of their own"):
              texts that read like instructions to a model are \(treatment)
              taken out of texts: \(redaction.isEmpty ? "nothing" : redaction.joined(separator: ", "))\(Answer.string(value, "keepsOriginals") == "true" ? ", the originals are kept apart" : "")
            """
    }
}

/// `mneme set-policy`: shown as `mneme policy` shows it.
extension SetPolicyOperation: TextRendering {
    /// The policy as it is now.
    static func rendered(_ value: JSONValue) -> String {
        PolicyOperation.rendered(value)
    }
}
