extension OperationTable {
    /// The operations in the order of the help. What is not here exists on no surface.
    public static let all: [any Operation.Type] = [
        RememberOperation.self, RecallOperation.self, AskOperation.self, LearnOperation.self, TaskOperation.self,
        ProfileOperation.self,
        GetOperation.self,
        ListOperation.self,
        UpdateOperation.self,
        ForgetOperation.self,
        RestoreOperation.self, RollbackOperation.self, CorrectOperation.self,
        FeedbackOperation.self,
        FreezeOperation.self,
        QuarantineOperation.self, ReleaseOperation.self, EraseOperation.self, HistoryOperation.self,
        LinkOperation.self,
        ShareOperation.self,
        UnshareOperation.self,
        GrantsOperation.self, ImportOperation.self, ExportOperation.self,
        PackageOperation.self,
        StatsOperation.self, TiersOperation.self, PolicyOperation.self, SetPolicyOperation.self,
        DoctorOperation.self, WhoamiOperation.self, LinksOperation.self, VaultsOperation.self,
        AdaptersOperation.self, AdaptersOperation.Show.self, AdaptersOperation.Import.self,
        AdaptersOperation.Export.self,
        AdaptersOperation.Evaluate.self, AdaptersOperation.Erase.self,
        JobsOperation.self, AddJobOperation.self, RetryJobOperation.self, CancelJobOperation.self,
        SchedulesOperation.self, AuditOperation.self, VerifyAuditOperation.self,
    ]
}
