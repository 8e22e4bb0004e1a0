"""Messages of TF Serving's configuration files, which its published package leaves out.

From tensorflow_serving/config and servables/tensorflow/session_bundle_config.proto; of
TensorFlow's ConfigProto what a file can reasonably set (not rpc_options, cluster_def,
experimental and rewrite_options).
"""

from __future__ import annotations

from gateway.protos.schema import declare, new_pool

POOL = new_pool()

_GPU = """
    double per_process_gpu_memory_fraction = 1
    bool allow_growth = 4
    string allocator_type = 2
    int64 deferred_deletion_bytes = 3
    string visible_device_list = 5
    int32 polling_active_delay_usecs = 6
    int32 polling_inactive_delay_msecs = 7
    bool force_gpu_compatible = 8
"""

declare(
    POOL,
    "tensorflow",
    {
        "GPUOptions": _GPU,
        "ThreadPoolOptionProto": "int32 num_threads = 1\n string global_name = 2",
        "OptimizerOptions": """
            bool do_common_subexpression_elimination = 1
            bool do_constant_folding = 2
            int64 max_folded_constant_in_bytes = 6
            bool do_function_inlining = 4
            Level opt_level = 3
            GlobalJitLevel global_jit_level = 5
            bool cpu_global_jit = 7
        """,
        "GraphOptions": """
            bool enable_recv_scheduling = 2
            OptimizerOptions optimizer_options = 3
            int64 build_cost_model = 4
            int64 build_cost_model_after = 9
            bool infer_shapes = 5
            bool place_pruned_graph = 6
            bool enable_bfloat16_sendrecv = 7
            int32 timeline_step = 8
        """,
        "ConfigProto": """
            map<string, int32> device_count = 1
            int32 intra_op_parallelism_threads = 2
            int32 inter_op_parallelism_threads = 5
            bool use_per_session_threads = 9
            repeated ThreadPoolOptionProto session_inter_op_thread_pool = 12
            int32 placement_period = 3
            repeated string device_filters = 4
            GPUOptions gpu_options = 6
            GPUOptions pluggable_device_options = 18
            bool allow_soft_placement = 7
            bool log_device_placement = 8
            GraphOptions graph_options = 10
            int64 operation_timeout_in_ms = 11
            bool isolate_session_state = 15
            bool share_cluster_devices_in_session = 17
        """,
    },
    enums={
        "Level": {"L1": 0, "L0": -1},
        "GlobalJitLevel": {"DEFAULT": 0, "OFF": -1, "ON_1": 1, "ON_2": 2},
    },
)

# A oneof of one field tells false from not written, with the same texts and bytes.
_SESSION_BUNDLE = """
    string session_target = 1
    tensorflow.ConfigProto session_config = 2
    BatchingParameters batching_parameters = 3
    google.protobuf.Int32Value session_run_load_threadpool_index = 4
    uint64 experimental_transient_ram_bytes_during_load = 5
    repeated string saved_model_tags = 6
    bool enable_model_warmup = 779 in warmup_choice
    ModelWarmupOptions model_warmup_options = 780
    bool enable_session_metadata = 781
    bool remove_unused_fields_from_bundle_metagraph = 782
    bool prefer_tflite_model = 783
    bool resource_estimation_uses_validation_result = 784
    int32 num_tflite_interpreters_per_pool = 785
    int32 num_tflite_pools = 786
    bool wrap_session_with_no_threading_params = 787
    string mixed_precision = 788
    bool enable_per_model_batching_params = 789
"""

_MESSAGES = declare(
    POOL,
    "tensorflow.serving",
    {
        "BatchingParameters": """
            google.protobuf.Int64Value max_batch_size = 1
            google.protobuf.Int64Value batch_timeout_micros = 2
            google.protobuf.Int64Value max_enqueued_batches = 3
            google.protobuf.Int64Value num_batch_threads = 4
            google.protobuf.StringValue thread_pool_name = 5
            repeated int64 allowed_batch_sizes = 6
            bool pad_variable_length_inputs = 7 in padding_choice
            google.protobuf.BoolValue enable_large_batch_splitting = 8
            google.protobuf.Int64Value max_execution_batch_size = 9
        """,
        "ModelWarmupOptions": "google.protobuf.Int32Value num_request_iterations = 1",
        "SessionBundleConfig": _SESSION_BUNDLE,
        "SavedModelBundleSourceAdapterConfig": "SessionBundleConfig legacy_config = 1000",
        "PlatformConfig": "google.protobuf.Any source_adapter_config = 1",
        "PlatformConfigMap": "map<string, PlatformConfig> platform_configs = 1",
        "PrometheusConfig": "bool enable = 1\n string path = 2",
        "MonitoringConfig": "PrometheusConfig prometheus_config = 1",
        "SSLConfig": """
            string server_key = 1
            string server_cert = 2
            string custom_ca = 3
            bool client_verify = 4
        """,
    },
    imports=("tensorflow",),
)

BatchingParameters = _MESSAGES["BatchingParameters"]
MonitoringConfig = _MESSAGES["MonitoringConfig"]
PlatformConfigMap = _MESSAGES["PlatformConfigMap"]
SSLConfig = _MESSAGES["SSLConfig"]
SavedModelBundleSourceAdapterConfig = _MESSAGES["SavedModelBundleSourceAdapterConfig"]
