/// Rules for who reaches which memories. A backend looks up grants, and notes what is refused.
///
/// Three things bound a principal: its permissions, which memories are its own (tenant, user,
/// agent), and its clearance. Grants add to the second alone.
public enum AccessRules {
    /// - Throws: ``AccessError`` if the principal lacks a permission.
    public static func require(_ permission: Permission, of principal: Principal) throws {
        guard principal.permissions.contains(permission) else {
            throw AccessError("'\(principal.name)' lacks the permission '\(permission.rawValue)'.")
        }
    }

    /// - Throws: ``AccessError`` unless the principal may do it, and reaches everybody.
    public static func requireAll(_ permission: Permission, of principal: Principal) throws {
        guard principal.permissions.contains(permission), principal.reachesAll else {
            throw AccessError(
                "'\(principal.name)' may not: that takes the permission '\(permission.rawValue)' for all tenants."
            )
        }
    }

    /// - Parameter tenant: whose policy is to be set; nil for that of all who have none.
    /// - Throws: ``AccessError`` unless the principal administers all of it.
    package static func requirePolicyRights(of tenant: String?, _ principal: Principal) throws {
        guard principal.permissions.contains(.admin), principal.user == nil, principal.agent == nil,
            principal.tenant == nil || principal.tenant == tenant
        else {
            throw AccessError(
                "'\(principal.name)' may not set this policy: that takes the permission 'admin' for \(tenant == nil ? "all tenants" : "the whole tenant")."
            )
        }
    }

    /// The part of an owner's memories that a principal reaches for a permission.
    ///
    /// - Parameters:
    ///   - owner: whose memories.
    ///   - permission: what is to be done with them.
    ///   - principal: who is to do it.
    ///   - grants: reads the owner's grants that are for the principal and have not ended; called
    ///     only where they can add something.
    ///   - cleared: reads which of some cubes are labelled at or below the principal's clearance.
    /// - Throws: ``AccessError`` if nothing is reached, and what the readers throw.
    public static func visibility(
        of owner: Owner, for permission: Permission, _ principal: Principal,
        grants: () throws -> [Grant], cleared: (Set<CubeID>) throws -> [CubeID]
    ) throws -> Visibility {
        try require(permission, of: principal)
        var visibility = ownVisibility(of: owner, principal)
        if visibility.isUnrestricted { return visibility }
        if takesGrants(of: owner, principal) {
            visibility = Self.visibility(
                visibility, with: try grants(), for: permission, principal)
            // Whatever is granted, the clearance holds.
            if !visibility.also.isEmpty, principal.clearance < .restricted {
                visibility.also = Set(try cleared(visibility.also))
            }
        }
        try requireSome(visibility, of: owner, for: permission, principal)
        return visibility
    }

    /// A visible cube.
    ///
    /// - Parameter cube: what was found under the id; nil if nothing was.
    /// - Throws: ``StoreError``, the same whether it is not visible or not there.
    package static func require(_ cube: MemCube?, _ id: CubeID, in visibility: Visibility) throws
        -> MemCube
    {
        guard let cube, visibility.contains(cube) else {
            throw StoreError(
                .notFound,
                "There is no memory \(id) in this scope\(visibility.isUnrestricted ? "" : ", or it may not be changed")."
            )
        }
        return cube
    }

    /// The part of an owner's memories that a principal reaches without any grant.
    package static func ownVisibility(of owner: Owner, _ principal: Principal) -> Visibility {
        guard principal.reaches(owner) else { return Visibility(ceiling: nil) }
        guard let agent = principal.agent else { return Visibility(ceiling: principal.clearance) }
        var visibility = Visibility(ceiling: nil)
        visibility.agent = agent
        visibility.agentCeiling = principal.clearance
        return visibility
    }

    /// Tells whether grants add to what is the principal's own: only where that is bounded by an
    /// agent, as labels bound it by the clearance anyway.
    package static func takesGrants(of owner: Owner, _ principal: Principal) -> Bool {
        principal.tenant == owner.tenant && (!principal.reaches(owner) || principal.agent != nil)
    }

    /// Adds grants, which are for the principal and have not ended, to what it reaches. Whatever is
    /// granted, the clearance holds: who calls drops single memories above it.
    package static func visibility(
        _ own: Visibility, with grants: [Grant], for permission: Permission, _ principal: Principal
    ) -> Visibility {
        grants.filter { $0.permissions.contains(permission) }.reduce(into: own) {
            visibility, grant in
            if let cube = grant.cube {
                visibility.also.insert(cube)
            } else {
                visibility.ceiling = max(
                    visibility.ceiling ?? .public, min(grant.upTo, principal.clearance))
            }
        }
    }

    /// - Throws: ``AccessError`` if nothing is reached.
    package static func requireSome(
        _ visibility: Visibility, of owner: Owner, for permission: Permission,
        _ principal: Principal
    ) throws {
        guard visibility.isEmpty else { return }
        let place = principal.tenant == owner.tenant ? "" : " there"
        throw AccessError(
            "'\(principal.name)' may not \(permission.rawValue) the memories of user '\(owner.user)'\(place)."
        )
    }

    /// Bounds what is written: a memory goes only as far as its writer sees, and an agent writes
    /// its own.
    ///
    /// - Parameters:
    ///   - cube: gets the writer's agent if it is new and belongs to none.
    ///   - writable: what the principal may write.
    /// - Throws: ``AccessError`` if it would go further.
    package static func confine(
        _ cube: inout MemCube, to writable: Visibility, _ principal: Principal, isNew: Bool
    ) throws {
        let name = principal.name
        // What was taken out of a text goes up: its writer may not see it.
        if isNew, cube.state == .archived, cube.provenance.source == Provenance.redaction { return }
        // One of several that were shared one by one may be changed, but nothing added beside it.
        if !isNew, writable.also.contains(cube.id) { return }
        guard let ceiling = [writable.ceiling, writable.agentCeiling].compactMap(\.self).max()
        else {
            throw AccessError("'\(name)' may change single memories here, not add any.")
        }
        guard cube.sensitivity <= ceiling else {
            throw AccessError(
                "'\(name)' sees memories up to '\(ceiling.name)' here "
                    + "and cannot write a '\(cube.sensitivity.name)' one."
            )
        }
        guard let agent = writable.agent, writable.agentCeiling != nil else { return }
        if isNew { cube.scope.agent = cube.scope.agent ?? agent }
        guard writable.contains(cube) else {
            throw AccessError("'\(name)' writes memories of the agent '\(agent)' only.")
        }
    }

    /// Tells whether an edge of a new cube is kept: to what its writer sees, and to what was taken
    /// out of it, which its writer does not see.
    package static func keeps(_ link: CubeLink, to target: MemCube, writable: Visibility) -> Bool {
        writable.contains(target)
            || (link.kind == CubeLink.derivedFrom
                && target.provenance.source == Provenance.redaction)
    }

    /// - Throws: ``AccessError`` unless the memories are the principal's own to share.
    public static func requireSharing(of owner: Owner, _ principal: Principal) throws {
        guard principal.reaches(owner) else {
            throw AccessError("Only who owns memories shares them.")
        }
    }

    /// - Parameters:
    ///   - grant: what is to be shared, with whom.
    ///   - own: what the principal may share.
    ///   - principal: who shares it.
    /// - Throws: ``AccessError`` if a grant gives more than its giver has, ``StoreError`` if it
    ///   gives nothing.
    public static func check(_ grant: Grant, own: Visibility, _ principal: Principal) throws {
        try requireSharing(of: grant.owner, principal)
        guard !grant.permissions.isEmpty, grant.permissions.isSubset(of: [.read, .write, .erase])
        else {
            throw StoreError(.conflict, "Shared are 'read', 'write' and 'erase', one at least.")
        }
        guard grant.permissions.isSubset(of: principal.permissions),
            grant.cube != nil || own.ceiling.map({ grant.upTo <= $0 }) ?? false
        else { throw AccessError("'\(principal.name)' cannot share more than it may do itself.") }
    }
}
