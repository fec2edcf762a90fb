import Foundation

/// Files and folders that their owner alone reads.
package enum Privacy {
    /// Makes a folder, and those above it that are missing, for its owner alone. One that is there
    /// stays as it is; several processes may do this at once.
    ///
    /// - Throws: ``FileError``.
    package static func makeFolder(_ path: String) throws {
        if mkdir(path, 0o700) == 0 { return }
        var code = errno
        if code == ENOENT {
            let above = parent(of: path)
            guard above != path, !path.isEmpty else {
                throw FileError(path, "cannot be made", code: code)
            }
            try makeFolder(above)
            if mkdir(path, 0o700) == 0 { return }
            code = errno
        }
        // Where nothing may be made, the folder may be there already.
        var information = stat()
        guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else {
            throw FileError(path, "cannot be made", code: code == EEXIST ? ENOTDIR : code)
        }
    }

    /// Takes from others what they may do with a file or folder, if it is this user's.
    ///
    /// - Returns: whether others may do nothing with it now; also if it is not there.
    @discardableResult
    package static func tighten(_ path: String) -> Bool {
        var information = stat()
        guard stat(path, &information) == 0, information.st_mode & 0o077 != 0 else { return true }
        guard information.st_uid == geteuid() else { return false }
        return chmod(path, information.st_mode & 0o7700) == 0
    }

    /// Tells whether others may do nothing with a file or folder; also if it is not there.
    package static func isPrivate(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) != 0 || information.st_mode & 0o077 == 0
    }

    /// Tells whether everybody may put other files in the place of those in a folder.
    package static func isOpenToAll(_ folder: String) -> Bool {
        var information = stat()
        return stat(folder, &information) == 0 && information.st_mode & S_IWOTH != 0
            && information.st_mode & S_ISVTX == 0
    }
}
