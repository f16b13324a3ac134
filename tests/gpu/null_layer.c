// A Vulkan layer that lets a driver for a GPU that is not there do nothing but compile: what is recorded and submitted is
// dropped, and the statistics of each compute pipeline are written to standard error, after a line `@@exec`. With
// NULL_LAYER_CODE in the environment its machine code follows, after lines `@@repr`; NULL_LAYER_SPIRV names a folder that
// gets the modules. Compile: cc -O2 -shared -fPIC -o libVkLayer_WGFORMER_null.so null_layer.c
#define VK_NO_PROTOTYPES
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#define EXTENSION VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME
#define CALL(name) ((PFN_##name)next_device(device, #name))
#define API static VKAPI_ATTR VkResult VKAPI_CALL
#define COMMAND static VKAPI_ATTR void VKAPI_CALL

static PFN_vkGetInstanceProcAddr next_instance;
static PFN_vkGetDeviceProcAddr next_device;
static VkInstance instance;
static VkDevice device;
static int has_statistics;
static unsigned modules;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

API BeginCommandBuffer(VkCommandBuffer a, const VkCommandBufferBeginInfo *b) { return VK_SUCCESS; }
API EndCommandBuffer(VkCommandBuffer a) { return VK_SUCCESS; }
API QueueSubmit(VkQueue a, uint32_t b, const VkSubmitInfo *c, VkFence d) { return VK_SUCCESS; }
API GetFenceStatus(VkDevice a, VkFence b) { return VK_SUCCESS; }
API WaitForFences(VkDevice a, uint32_t b, const VkFence *c, VkBool32 d, uint64_t e) { return VK_SUCCESS; }
API QueueWaitIdle(VkQueue a) { return VK_SUCCESS; }
API DeviceWaitIdle(VkDevice a) { return VK_SUCCESS; }
COMMAND CmdPipelineBarrier(VkCommandBuffer a, VkPipelineStageFlags b, VkPipelineStageFlags c, VkDependencyFlags d, uint32_t e,
                           const VkMemoryBarrier *f, uint32_t g, const VkBufferMemoryBarrier *h, uint32_t i,
                           const VkImageMemoryBarrier *j) {}
COMMAND CmdCopyBuffer(VkCommandBuffer a, VkBuffer b, VkBuffer c, uint32_t d, const VkBufferCopy *e) {}
COMMAND CmdFillBuffer(VkCommandBuffer a, VkBuffer b, VkDeviceSize c, VkDeviceSize d, uint32_t e) {}
COMMAND CmdUpdateBuffer(VkCommandBuffer a, VkBuffer b, VkDeviceSize c, VkDeviceSize d, const void *e) {}
COMMAND CmdBindPipeline(VkCommandBuffer a, VkPipelineBindPoint b, VkPipeline c) {}
COMMAND CmdBindDescriptorSets(VkCommandBuffer a, VkPipelineBindPoint b, VkPipelineLayout c, uint32_t d, uint32_t e,
                              const VkDescriptorSet *f, uint32_t g, const uint32_t *h) {}
COMMAND CmdDispatch(VkCommandBuffer a, uint32_t b, uint32_t c, uint32_t d) {}
COMMAND CmdPushConstants(VkCommandBuffer a, VkPipelineLayout b, VkShaderStageFlags c, uint32_t d, uint32_t e, const void *f) {}
COMMAND CmdWriteTimestamp(VkCommandBuffer a, VkPipelineStageFlagBits b, VkQueryPool c, uint32_t d) {}
COMMAND CmdResetQueryPool(VkCommandBuffer a, VkQueryPool b, uint32_t c, uint32_t d) {}
COMMAND CmdCopyQueryPoolResults(VkCommandBuffer a, VkQueryPool b, uint32_t c, uint32_t d, VkBuffer e, VkDeviceSize f,
                                VkDeviceSize g, VkQueryResultFlags h) {}

API CreateShaderModule(VkDevice on, const VkShaderModuleCreateInfo *info, const VkAllocationCallbacks *memory,
                       VkShaderModule *module) {
  const char *folder = getenv("NULL_LAYER_SPIRV");
  if (folder) {
    char path[512];
    pthread_mutex_lock(&lock);
    snprintf(path, sizeof path, "%s/%04u.spv", folder, modules++);
    pthread_mutex_unlock(&lock);
    FILE *file = fopen(path, "wb");
    if (file) {
      fwrite(info->pCode, 1, info->codeSize, file);
      fclose(file);
    }
  }
  return CALL(vkCreateShaderModule)(on, info, memory, module);
}

static void write_statistics(const VkPipelineExecutableInfoKHR *info) {
  uint32_t count = 0;
  CALL(vkGetPipelineExecutableStatisticsKHR)(device, info, &count, 0);
  VkPipelineExecutableStatisticKHR *all = calloc(count, sizeof *all);
  for (uint32_t i = 0; i < count; i++) all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
  CALL(vkGetPipelineExecutableStatisticsKHR)(device, info, &count, all);
  for (uint32_t i = 0; i < count; i++) {
    if (all[i].format == VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR)
      fprintf(stderr, "%s: %g\n", all[i].name, all[i].value.f64);
    else
      fprintf(stderr, "%s: %llu\n", all[i].name, (unsigned long long)all[i].value.u64);
  }
  free(all);
}

static void write_code(const VkPipelineExecutableInfoKHR *info) {
  uint32_t count = 0;
  CALL(vkGetPipelineExecutableInternalRepresentationsKHR)(device, info, &count, 0);
  VkPipelineExecutableInternalRepresentationKHR *all = calloc(count, sizeof *all);
  for (uint32_t i = 0; i < count; i++)
    all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
  CALL(vkGetPipelineExecutableInternalRepresentationsKHR)(device, info, &count, all);
  for (uint32_t i = 0; i < count; i++) all[i].pData = calloc(1, all[i].dataSize + 1);
  CALL(vkGetPipelineExecutableInternalRepresentationsKHR)(device, info, &count, all);
  for (uint32_t i = 0; i < count; i++) {
    if (all[i].isText) fprintf(stderr, "@@repr %s\n%s\n", all[i].name, (char *)all[i].pData);
    free(all[i].pData);
  }
  free(all);
}

static void write_pipeline(VkPipeline pipeline) {
  VkPipelineInfoKHR info = {VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, 0, pipeline};
  uint32_t count = 0;
  CALL(vkGetPipelineExecutablePropertiesKHR)(device, &info, &count, 0);
  VkPipelineExecutablePropertiesKHR *all = calloc(count, sizeof *all);
  for (uint32_t i = 0; i < count; i++) all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR;
  CALL(vkGetPipelineExecutablePropertiesKHR)(device, &info, &count, all);
  for (uint32_t i = 0; i < count; i++) {
    VkPipelineExecutableInfoKHR one = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, 0, pipeline, i};
    fprintf(stderr, "@@exec %s | subgroup %u\n", all[i].name, all[i].subgroupSize);
    write_statistics(&one);
    if (getenv("NULL_LAYER_CODE")) write_code(&one);
  }
  free(all);
}

API CreateComputePipelines(VkDevice on, VkPipelineCache cache, uint32_t count, const VkComputePipelineCreateInfo *infos,
                           const VkAllocationCallbacks *memory, VkPipeline *pipelines) {
  VkPipelineCreateFlags flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
  if (getenv("NULL_LAYER_CODE")) flags |= VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
  VkComputePipelineCreateInfo *own = malloc(count * sizeof *own);
  memcpy(own, infos, count * sizeof *own);
  if (has_statistics)
    for (uint32_t i = 0; i < count; i++) own[i].flags |= flags;
  pthread_mutex_lock(&lock);
  VkResult result = CALL(vkCreateComputePipelines)(on, cache, count, own, memory, pipelines);
  if (result == VK_SUCCESS && has_statistics)
    for (uint32_t i = 0; i < count; i++) write_pipeline(pipelines[i]);
  pthread_mutex_unlock(&lock);
  free(own);
  return result;
}

API CreateInstance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *memory, VkInstance *made) {
  VkLayerInstanceCreateInfo *link = (VkLayerInstanceCreateInfo *)info->pNext;
  while (link->sType != VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO)
    link = (VkLayerInstanceCreateInfo *)link->pNext;
  next_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  VkResult result = ((PFN_vkCreateInstance)next_instance(0, "vkCreateInstance"))(info, memory, made);
  instance = *made;
  return result;
}

static int supports(VkPhysicalDevice physical, const char *name) {
  PFN_vkEnumerateDeviceExtensionProperties list =
      (PFN_vkEnumerateDeviceExtensionProperties)next_instance(instance, "vkEnumerateDeviceExtensionProperties");
  uint32_t count = 0;
  list(physical, 0, &count, 0);
  VkExtensionProperties *all = calloc(count, sizeof *all);
  list(physical, 0, &count, all);
  int found = 0;
  for (uint32_t i = 0; i < count; i++) found |= !strcmp(all[i].extensionName, name);
  free(all);
  return found;
}

API CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info, const VkAllocationCallbacks *memory,
                 VkDevice *made) {
  VkLayerDeviceCreateInfo *link = (VkLayerDeviceCreateInfo *)info->pNext;
  while (link->sType != VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO)
    link = (VkLayerDeviceCreateInfo *)link->pNext;
  PFN_vkGetInstanceProcAddr next = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  next_device = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  has_statistics = supports(physical, EXTENSION);
  uint32_t count = info->enabledExtensionCount;
  const char **names = malloc((count + 1) * sizeof *names);
  memcpy(names, info->ppEnabledExtensionNames, count * sizeof *names);
  names[count] = EXTENSION;
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR features = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, (void *)info->pNext, VK_TRUE};
  VkDeviceCreateInfo own = *info;
  if (has_statistics) {
    own.pNext = &features;
    own.enabledExtensionCount = count + 1;
    own.ppEnabledExtensionNames = names;
  }
  VkResult result = ((PFN_vkCreateDevice)next(instance, "vkCreateDevice"))(physical, &own, memory, made);
  device = *made;
  free(names);
  return result;
}

#define OWN(function) \
  if (!strcmp(name, "vk" #function)) return (PFN_vkVoidFunction)function;

static PFN_vkVoidFunction own_function(const char *name) {
  OWN(BeginCommandBuffer) OWN(EndCommandBuffer) OWN(QueueSubmit) OWN(GetFenceStatus) OWN(WaitForFences)
  OWN(QueueWaitIdle) OWN(DeviceWaitIdle) OWN(CmdPipelineBarrier) OWN(CmdCopyBuffer) OWN(CmdFillBuffer)
  OWN(CmdUpdateBuffer) OWN(CmdBindPipeline) OWN(CmdBindDescriptorSets) OWN(CmdDispatch) OWN(CmdPushConstants)
  OWN(CmdWriteTimestamp) OWN(CmdResetQueryPool) OWN(CmdCopyQueryPoolResults) OWN(CreateShaderModule)
  OWN(CreateComputePipelines)
  return 0;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_function(VkDevice on, const char *name) {
  if (!strcmp(name, "vkGetDeviceProcAddr")) return (PFN_vkVoidFunction)device_function;
  PFN_vkVoidFunction own = own_function(name);
  return own ? own : next_device(on, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_function(VkInstance on, const char *name) {
  if (!strcmp(name, "vkGetInstanceProcAddr")) return (PFN_vkVoidFunction)instance_function;
  if (!strcmp(name, "vkGetDeviceProcAddr")) return (PFN_vkVoidFunction)device_function;
  OWN(CreateInstance) OWN(CreateDevice)
  PFN_vkVoidFunction own = own_function(name);
  return own ? own : next_instance ? next_instance(on, name) : 0;
}

VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
  interface->loaderLayerInterfaceVersion = 2;
  interface->pfnGetInstanceProcAddr = instance_function;
  interface->pfnGetDeviceProcAddr = device_function;
  interface->pfnGetPhysicalDeviceProcAddr = 0;
  return VK_SUCCESS;
}
